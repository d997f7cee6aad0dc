Feature: What a failing test reads

  Scenario: Everything at once, the most useful first
    Given a mock of "git commit"
    And a mock of "git tag"
    And it must be called 2 times
    And a mock of "git fetch"
    And a mock of "git push"
    And "git push" must come after "git commit"
    And a mock of "ls"
    When the test replays
    And these are called
      | call     |
      | git push |
      | git tag  |
      | git what |
      | ls       |
      | ls       |
    Then verification fails with ORDER, UNEXPECTED_CALL, EXCESS_CALL, WRONG_COUNT, UNFULFILLED, UNFULFILLED, UNFULFILLED
    And the report says
      """
      cmdmox: verification failed: 7 problems
      out of order: git push
      unexpected call: git what
      one call too many: ls
      called 1 time: mock git tag (test:2), expected exactly 2 calls
      never called: mock git commit (test:1)
      """

  Scenario: The nearest double is the one with the fewest differences
    Given a stub of "git push origin main"
    And a stub of "git pull origin main --rebase"
    When the test replays
    And "git push origin master" is called
    Then verification fails with UNEXPECTED_CALL
    And the report says
      """
      the nearest is stub git push origin main (test:1):
      argument 1: "push"
      argument 2: "origin"
      ! argument 3: expected "main"
      actual   "master"
      """

  Scenario Outline: A line to paste, in <dialect>
    Given the session has the dialect "<dialect>"
    And a stub of "git status"
    When the test replays
    And "git add 'a file'" is called
    Then verification fails with UNEXPECTED_CALL
    And the report says
      """
      to accept this call:
      <line>
      """

    Examples:
      | dialect | line                                                      |
      | c       | cmox_with_args(cmox_mock(mox, "git"), "add", "a file");   |
      | python  | mox.mock("git").with_args("add", "a file")                |
      | shell   | cmdmox mock git add 'a file'                              |

  Scenario Outline: A line to paste for other variables and another directory, in <dialect>
    Given the session has the dialect "<dialect>"
    And a stub of "make all"
    And its variable LEVEL equals "3"
    And its variable CERTAINLY_NOT_SET anything
    And its variable API_TOKEN equals "x"
    And its working directory equals "/usr"
    When the test replays
    And "env LEVEL=4 API_TOKEN=y make all" is called in "/"
    Then verification fails with UNEXPECTED_CALL
    And the report says
      """
      to accept this call:
      <line>
      """

    Examples:
      | dialect | line                                                                              |
      | c       | cmox_with_cwd(cmox_with_matching_env(cmox_with_matching_env(cmox_with_args(cmox_mock(mox, "make"), "all"), "LEVEL", CMOX_EQ("4")), "CERTAINLY_NOT_SET", CMOX_UNSET), "/"); |
      | python  | mox.mock("make").with_args("all").with_env({"LEVEL": "4"}).with_cwd("/")          |
      | shell   | cmdmox mock make all                                                              |

  Scenario: Secrets are masked wherever they would be shown
    Given a stub of "curl" with any arguments, called curl
    And its arguments are
      | argument           |
      | equals "--token"   |
      | equals "good-word" |
    When the test replays
    And "curl --token other-word" is called
    Then it was refused, since "curl --token '***'"
    And verification fails with UNEXPECTED_CALL
    And the report does not say "other-word"
    And the report does not say "good-word"

  Scenario: A finding for programs
    Given a mock of "git push origin"
    And it must be called 2 times
    When the test replays
    And "git push upstream" is called
    Then verification fails with UNEXPECTED_CALL, UNFULFILLED
    And finding 1 has
      | field                  | value                                                          |
      | message                | unexpected call: git push upstream                             |
      | location.file          | test                                                           |
      | location.line          | 1                                                              |
      | differences.0.equal    | True                                                           |
      | differences.1.subject  | argument 2                                                     |
      | differences.1.expected | "origin"                                                       |
      | differences.1.actual   | "upstream"                                                     |
      | suggestion             | cmox_with_args(cmox_mock(mox, "git"), "push", "upstream");     |
    And finding 2 has
      | field            | value |
      | expected_minimum | 2     |
      | expected_maximum | 2     |
      | actual_count     | 0     |

  Scenario Outline: The same report as <format>
    Given the session has the label "clones"
    And a mock of "git push"
    When the test replays
    And the report is made as <format>
    Then the report says
      """
      <words>
      """

    Examples:
      | format | words                                                    |
      | JSON   | "message": "never called: mock git push (test:1)         |
      | JUNIT  | <testcase classname="cmdmox" name="clones"               |
      | TAP    | not ok 1 - clones                                        |

  Scenario: Colour
    Given a mock of "git push"
    When the test replays
    And the report is made in colour
    Then without its colours it is the plain report

  Scenario: Verifying again says the same
    Given a mock of "git push"
    When the test replays
    Then verification fails with UNFULFILLED
    And verification fails with UNFULFILLED
