Feature: What else a double may look at: stdin, variables, the working directory

  Scenario: stdin is left alone unless a double looks at it
    Given a stub of "git status"
    When the test replays
    And the script runs
      """
      printf '1\n2\n3\n' | while read -r line; do git status; echo "$line"; done
      """
    Then it printed "1\n2\n3\n"

  Scenario: A double that wants a certain stdin
    Given a mock of "mail -s done"
    And its stdin equals "all is well\n"
    When the test replays
    And "mail -s done" is called with the stdin "all is well\n"
    Then it exited with 0
    And verification passes

  Scenario: Another stdin is shown as a difference of lines
    Given a stub of "tee"
    And its stdin equals "one\ntwo\nthree\n"
    When the test replays
    And "tee" is called with the stdin "one\n2\nthree\n"
    Then verification fails with UNEXPECTED_CALL
    And the report says
      """
      ! stdin: (- expected, + actual)
        one
      -two
      +2
        three
      """

  Scenario: The double whose stdin fits takes the call
    Given a stub of "tee", called ints
    And its stdin is an int
    And a stub of "tee", called others
    And its stdin not is an int
    When the test replays
    And "tee" is called with the stdin "12"
    And "tee" is called with the stdin "x"
    And "tee" is called with the stdin "y"
    Then "ints" took 1 calls
    And "others" took 2 calls

  Scenario: Only a whole stdin can be compared
    Given a stub of "tee"
    And its stdin starts with "some"
    And it captures at most 4 bytes of stdin
    When the test replays
    And "tee" is called with the stdin "some text"
    And "tee" is called with the stdin "some"
    Then the calls exited with 125 0

  Scenario: A call that still waits for its stdin has not reached its double
    Given a stub of "tee"
    And its stdin equals "x"
    When the test replays
    And "tee" is started with a stdin that does not end
    Then verification fails with IN_FLIGHT
    And the report says
      """
      still waiting: tee (reading its stdin, which has not ended)
      """

  Scenario: What a spy captures is in the journal
    Given a spy of "tee"
    And it captures stdin
    When the test replays
    And "tee" is called with the stdin "some text"
    Then the journal is
      | command | stdin     | truncated |
      | tee     | some text | no        |

  Scenario: Only so much of it
    Given a spy of "tee"
    And it captures at most 4 bytes of stdin
    When the test replays
    And "tee" is called with the stdin "some text"
    Then the journal is
      | stdin | truncated |
      | some  | yes       |

  Scenario: Drained stdin is read, and not kept
    Given a stub of "cat"
    And it drains stdin
    When the test replays
    And "cat" is called with the stdin "some text"
    Then the journal is
      | stdin |
      |       |

  Scenario Outline: A variable that <phrase>, and <value>
    Given a stub of "make all"
    And its variable LEVEL <phrase>
    When the test replays
    And "make all" is called with LEVEL=<value>
    Then it exited with <status>

    Examples:
      | phrase          | value  | status |
      | equals "3"      | "3"    | 0      |
      | equals "3"      | "4"    | 125    |
      | is an int       | "12"   | 0      |
      | is an int       | "high" | 125    |
      | is not set      | ""     | 125    |
      | anything        | ""     | 0      |

  Scenario: A variable that is not there
    Given a stub of "make all", called unset
    And its variable CERTAINLY_NOT_SET is not set
    And it answers "unset\n"
    And a stub of "make all", called set
    And its variable CERTAINLY_NOT_SET anything
    And it answers "set\n"
    When the test replays
    And "make all" is called
    And "make all" is called with CERTAINLY_NOT_SET="x"
    Then the calls printed "unset\n" "set\n"

  Scenario: Several variables must all fit
    Given a stub of "make all"
    And its variable A equals "1"
    And its variable B equals "2"
    When the test replays
    And "make all" is called with A="1"
    Then it was refused, since "environment B: expected \"2\", actual (not set)"

  Scenario: A variable that the call is given
    Given a mock of "make all"
    And it gives the call LEVEL="3"
    When the test replays
    And "make all" is called
    Then it exited with 0
    And verification passes

  Scenario: A variable that is to be given, and has another value
    Given a stub of "make all"
    And it gives the call LEVEL="3"
    When the test replays
    And "make all" is called with LEVEL="4"
    Then it was refused, since "environment LEVEL: expected \"3\", actual \"4\""

  Scenario: The working directory
    Given a stub of "make all"
    And its working directory equals "/usr"
    When the test replays
    And "make all" is called in "/usr"
    And "make all" is called in "/"
    Then the calls exited with 0 125
    And it was refused, since "working directory: expected \"/usr\", actual \"/\""
