Feature: What a test asks afterwards

  Scenario: How often, of a double and of a command
    Given a spy of "git push"
    And a spy of "git pull"
    When the test replays
    And "git push" is called 2 times
    And "git pull" is called
    Then "git push" took 2 calls
    And "git pull" took 1 calls
    And 3 calls of "git" were made

  Scenario: The journal holds every call, in the order of their starts
    Given a mock of "git push"
    And it answers "pushed\n" and exits with 3
    And a stub of "ssh host"
    And it dies by SIGHUP
    When the test replays
    And these are called
      | call           |
      | git push       |
      | ssh host       |
      | git 'pu sh' ü  |
      | git push       |
    Then the journal is
      | command | arguments    | verdict    | stdout   | end    | state     |
      | git     | push         | ACCEPTED   | pushed\n | 3      | COMPLETED |
      | ssh     | host         | ACCEPTED   |          | SIGHUP | COMPLETED |
      | git     | 'pu sh' 'ü'  | UNEXPECTED |          | 125    | COMPLETED |
      | git     | push         | EXCESS     |          | 125    | COMPLETED |

  Scenario: A call out of order is in the journal too
    Given a mock of "git commit"
    And a mock of "git push"
    And "git push" must come after "git commit"
    When the test replays
    And "git push" is called
    Then the journal is
      | arguments | verdict      |
      | push      | OUT_OF_ORDER |

  Scenario: Where, and with which variables
    Given a spy of "make all"
    When the test replays
    And "make all" is called in "/usr"
    And "make all" is called with LEVEL="3"
    Then the journal has the variable LEVEL as "3"

  Scenario: Called, and not called
    Given a spy of "git" with any arguments, called git
    And a spy of "ssh" with any arguments, called ssh
    When the test replays
    And "git status" is called
    And it is asserted of "git" that it was CALLED
    Then that is true
    When it is asserted of "ssh" that it was NOT_CALLED
    Then that is true
    When it is asserted of "ssh" that it was CALLED
    Then that is false, and it says
      """
      spy ssh (test:2) was never called
      """
    When it is asserted of "git" that it was NOT_CALLED
    Then that is false, and it says
      """
      git status
      """

  Scenario: Called with: the last call counts
    Given a spy of "git" with any arguments, called git
    When the test replays
    And these are called
      | call     |
      | git push |
      | git pull |
    And it is asserted of "git" that it was CALLED_WITH
      | call |
      | pull |
    Then that is true
    When it is asserted of "git" that it was CALLED_WITH
      | call |
      | push |
    Then that is false, and it says
      """
      argument 1: expected "push"
      """

  Scenario: Any call
    Given a spy of "git" with any arguments, called git
    When the test replays
    And these are called
      | call                 |
      | git push origin main |
      | git pull             |
    And it is asserted of "git" that it was ANY_CALL
      | call                                |
      | <equals "push"> <anything> <ends with "in"> |
    Then that is true
    When it is asserted of "git" that it was ANY_CALL
      | call               |
      | push upstream main |
    Then that is false, and it says
      """
      expected "upstream"
      """

  Scenario: These calls, one after the other
    Given a spy of "git" with any arguments, called git
    When the test replays
    And these are called
      | call  |
      | git a |
      | git b |
      | git c |
    And it is asserted of "git" that it was HAS_CALLS
      | call |
      | b    |
      | c    |
    Then that is true
    When it is asserted of "git" that it was HAS_CALLS
      | call |
      | a    |
      | c    |
    Then that is false, and it says
      """
      git c
      """

  Scenario: These calls, in any order
    Given a spy of "git" with any arguments, called git
    When the test replays
    And these are called
      | call  |
      | git a |
      | git b |
      | git c |
    And it is asserted of "git" that it was HAS_CALLS_IN_ANY_ORDER
      | call                      |
      | <equals "a" or equals "c"> |
      | <equals "a">               |
    Then that is true
    When it is asserted of "git" that it was HAS_CALLS_IN_ANY_ORDER
      | call         |
      | <anything>   |
      | <equals "c"> |
      | <equals "a"> |
    Then that is true
    When it is asserted of "git" that it was HAS_CALLS_IN_ANY_ORDER
      | call |
      | a    |
      | a    |
    Then that is false, and it says
      """
      git a
      """

  Scenario: A call that was refused is none of the double's
    Given a mock of "git push"
    When the test replays
    And "git push" is called 2 times
    Then "git push" took 1 calls
    And 2 calls of "git" were made
    When it is asserted of "git push" that it was HAS_CALLS
      | call |
      | push |
      | push |
    Then that is false, and it says
      """
      1. git push
      """

  Scenario: An assertion changes nothing
    Given a mock of "git push"
    When the test replays
    And it is asserted of "git push" that it was CALLED
    And "git push" is called
    Then verification passes

  Scenario: An assertion with the wrong number of patterns
    Given a spy of "git push"
    When it is asserted of "git push" that it was ANY_CALL
    Then that is refused with INVALID_ARGUMENT, since "this assertion needs one pattern"
