Feature: Which double takes a call
  Each mock, stub or spy is one expectation; a command may have many of them.

  Scenario: A mock must be called, once unless something else is said
    Given a mock of "git status"
    When the test replays
    And "git status" is called
    Then it exited with 0
    And verification passes

  Scenario: A mock that is not called
    Given a mock of "git status"
    When the test replays
    Then verification fails with UNFULFILLED
    And the report says
      """
      never called: mock git status (test:1), expected exactly 1 call
      """

  Scenario: Stubs and spies need not be called
    Given a stub of "git status"
    And a spy of "git log"
    When the test replays
    Then verification passes

  Scenario: Stubs and spies take any number of calls
    Given a stub of "git status"
    And a spy of "git log"
    When the test replays
    And "git status" is called 3 times
    And "git log" is called 2 times
    Then "git status" took 3 calls
    And "git log" took 2 calls
    And verification passes

  Scenario: The first double that accepts takes the call
    Given a stub of "git" with any arguments, called first
    And it answers "first\n"
    And a stub of "git status", called second
    And it answers "second\n"
    When the test replays
    And "git status" is called
    Then it printed "first\n"
    And "second" took 0 calls

  Scenario: A mock goes before a stub that was declared earlier
    Given a stub of "git" with any arguments, called rest
    And it answers "rest\n"
    And a mock of "git status"
    And it answers "status\n"
    When the test replays
    And these are called
      | call       |
      | git status |
      | git log    |
    Then the calls printed "status\n" "rest\n"
    And verification passes

  Scenario: A mock that has had its calls leaves the next to the mock after it
    Given a mock of "curl" with any arguments, called first
    And it exits with 7
    And a mock of "curl" with any arguments, called second
    And it answers "done\n"
    When the test replays
    And "curl x" is called 2 times
    Then the calls exited with 7 0
    And the calls printed "" "done\n"
    And verification passes

  Scenario: A call too many is refused although a stub would take it
    Given a mock of "git push"
    And a stub of "git" with any arguments, called any
    When the test replays
    And "git push" is called 2 times
    Then it was refused, since "one call too many: git push"
    And "any" took 0 calls
    And verification fails with EXCESS_CALL

  Scenario: A mock that must not be called refuses what a stub would take
    Given a mock of "git push"
    And it must never be called
    And a stub of "git" with any arguments, called any
    When the test replays
    And "git push" is called
    Then it was refused, since "one call too many: git push"
    And "any" took 0 calls
    And verification fails with EXCESS_CALL

  Scenario: An unexpected call sticks, even if the script goes on
    Given a mock of "git push upstream"
    When the test replays
    And the script runs
      """
      git push origin || true
      git push upstream
      """
    Then it exited with 0
    And verification fails with UNEXPECTED_CALL

  Scenario: A command that is only registered takes no call
    Given the command "rm" is registered
    When the test replays
    And "rm -rf /" is called
    Then it was refused, since "the command is registered and has no double"
    And verification fails with UNEXPECTED_CALL

  Scenario: Two calls at once cannot both take the last place
    Given a mock of "make all"
    And it must be called 3 times
    When the test replays
    And "make all" is called 8 times at once
    Then 5 of the calls were refused
    And "make all" took 3 calls

  Scenario: Saying it again replaces what was said before
    Given a mock of "git status"
    And its arguments are "log --oneline"
    And it answers "first\n"
    And it answers "second\n"
    When the test replays
    And "git log --oneline" is called
    Then it printed "second\n"
    And verification passes

  Scenario: Doubles may be declared and refined while the code under test runs
    Given a mock of "git status"
    When the test replays
    Given a mock of "git log"
    And it answers "late\n"
    When "git log" is called
    Then it printed "late\n"
    When "git status" is called
    Then verification passes

  Scenario: A call before replay is refused, and remembered
    Given a mock of "git status"
    When "git status" is called
    Then it was refused, since "the test has not called replay yet"
    When the test replays
    And "git status" is called
    Then verification fails with UNEXPECTED_CALL

  Scenario: A call after verify is refused
    Given a stub of "git status"
    When the test replays
    Then verification passes
    When "git status" is called
    Then it was refused, since "the test has already called verify"

  Scenario: Replaying twice is as good as once
    Given a mock of "git status"
    When the test replays
    And the test replays
    And "git status" is called
    Then verification passes

  Scenario: Nothing may be said after verify, and nothing verified before replay
    Given a stub of "git status"
    Then verification is refused with BAD_STATE
    When the test replays
    Then verification passes
    And replaying is refused with BAD_STATE
    Given a stub of "git log"
    Then that is refused with BAD_STATE, since "declare doubles before verify"
