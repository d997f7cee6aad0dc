Feature: In which order mocks must be called
  Nothing is ordered unless the test says so.

  Scenario: Without an order any order will do
    Given a mock of "git commit"
    And a mock of "git push"
    When the test replays
    And these are called
      | call       |
      | git push   |
      | git commit |
    Then verification passes

  Scenario Outline: In order: <calls>
    Given a mock of "git commit"
    And a mock of "git push"
    And a mock of "gh release"
    And these must be called in order
      | double     |
      | git commit |
      | git push   |
      | gh release |
    When the test replays
    And the script runs
      """
      <calls>
      """
    Then verification <result>

    Examples:
      | calls                                        | result                        |
      | git commit; git push; gh release             | passes                        |
      | git push; git commit; git push; gh release   | fails with ORDER              |
      | git commit; gh release; git push; gh release | fails with ORDER              |
      | git commit; git push                         | fails with UNFULFILLED        |
      | gh release                                   | fails with ORDER, UNFULFILLED, UNFULFILLED, UNFULFILLED |

  Scenario: The call that comes too early says what must come first
    Given a mock of "git commit"
    And a mock of "git push"
    And these must be called in order
      | double     |
      | git commit |
      | git push   |
    When the test replays
    And "git push" is called
    Then it was refused, since "out of order: git push: mock git commit (test:1) must be called first"

  Scenario: What lies behind may not be taken up again
    Given a mock of "git fetch"
    And it must be called at least 1 times
    And a mock of "git push"
    And these must be called in order
      | double    |
      | git fetch |
      | git push  |
    When the test replays
    And these are called
      | call      |
      | git fetch |
      | git push  |
      | git fetch |
    Then it was refused, since "mock git push (test:2) comes after it and has already been called"
    And verification fails with ORDER

  Scenario: Doubles at one position may come in any order
    Given a mock of "make a"
    And a mock of "make b"
    And a mock of "make install"
    And these must be called in order
      | double       | position |
      | make a       | 1        |
      | make b       | 1        |
      | make install | 2        |
    When the test replays
    And these are called
      | call         |
      | make b       |
      | make a       |
      | make install |
    Then verification passes

  Scenario: Two sequences do not wait for each other
    Given a mock of "git a"
    And a mock of "git b"
    And a mock of "ssh x"
    And a mock of "ssh y"
    And these must be called in the sequence "local"
      | double |
      | git a  |
      | git b  |
    And these must be called in the sequence "remote"
      | double |
      | ssh x  |
      | ssh y  |
    When the test replays
    And these are called
      | call  |
      | ssh x |
      | git a |
      | ssh y |
      | git b |
    Then verification passes

  Scenario: One double may stand in two sequences
    Given a mock of "git a"
    And a mock of "ssh x"
    And a mock of "make all"
    And these must be called in the sequence "one"
      | double   |
      | git a    |
      | make all |
    And these must be called in the sequence "two"
      | double   |
      | ssh x    |
      | make all |
    When the test replays
    And these are called
      | call     |
      | git a    |
      | make all |
    Then it was refused, since "mock ssh x (test:2) must be called first"

  Scenario: After: a partial order
    Given a mock of "git commit"
    And a mock of "git push"
    And a mock of "git log"
    And "git push" must come after "git commit"
    When the test replays
    And these are called
      | call       |
      | git log    |
      | git push   |
      | git commit |
      | git push   |
    Then the calls exited with 0 125 0 0
    And verification fails with ORDER

  Scenario: An order may be taken back
    Given a mock of "git commit"
    And a mock of "git push"
    And these must be called in order
      | double     |
      | git commit |
      | git push   |
    And "git push" may be called in any order
    When the test replays
    And these are called
      | call       |
      | git push   |
      | git commit |
    Then verification passes

  Scenario: A mock that may be left out does not block the next
    Given a mock of "git stash"
    And it may be called at most 1 times
    And a mock of "git push"
    And these must be called in order
      | double    |
      | git stash |
      | git push  |
    When the test replays
    And "git push" is called
    Then verification passes

  Scenario: A blocked mock leaves the call to an unblocked one
    Given a mock of "git commit"
    And a mock of "git push", called ordered
    And a mock of "git push", called free
    And "ordered" must come after "git commit"
    When the test replays
    And these are called
      | call       |
      | git push   |
      | git commit |
      | git push   |
    Then "free" took 1 calls
    And verification passes

  Scenario: A mock that has had its calls takes none for one that is blocked
    Given a mock of "git commit"
    And a mock of "git push", called ordered
    And a mock of "git push", called free
    And "ordered" must come after "git commit"
    When the test replays
    And "git push" is called 2 times
    Then the calls exited with 0 125
    And "free" took 1 calls
    And verification fails with ORDER, UNFULFILLED, UNFULFILLED

  Scenario: Too early for one mock and too many for another
    Given a mock of "git push", called first
    And a mock of "git commit"
    And a mock of "git push", called second
    And "second" must come after "git commit"
    When the test replays
    And "git push" is called 2 times
    Then it was refused, since "out of order: git push: mock git commit (test:2) must be called first"
    And verification fails with ORDER, UNFULFILLED, UNFULFILLED

  Scenario: A stub takes what comes too early for a mock
    Given a mock of "git commit"
    And a mock of "git push", called ordered
    And it answers "ordered\n"
    And "ordered" must come after "git commit"
    And a stub of "git" with any arguments, called any
    And it answers "any\n"
    When the test replays
    And these are called
      | call       |
      | git push   |
      | git commit |
      | git push   |
    Then the calls printed "any\n" "" "ordered\n"
    And verification passes

  Scenario: An order belongs to mocks
    Given a stub of "git log"
    And a mock of "git push"
    And "git log" must come after "git push"
    Then that is refused with INVALID_ARGUMENT, since "an order belongs to mocks"

  Scenario: A double cannot wait for itself
    Given a mock of "git push"
    And "git push" must come after "git push"
    Then that is refused with INVALID_ARGUMENT, since "a double cannot wait for itself"
