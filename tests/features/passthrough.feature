Feature: The real command runs, and the test sees what it does

  Scenario: Its streams and its end
    Given a spy of "sh" with any arguments
    And the real command runs
    When the test replays
    And "sh -c 'echo out; echo err >&2; exit 3'" is called
    Then it printed "out\n"
    And it printed "err\n" on stderr
    And it exited with 3
    And the journal is
      | command | program | stdout | stderr | end | verdict  | state     |
      | sh      | sh      | out\n  | err\n  | 3   | ACCEPTED | COMPLETED |
    And verification passes

  Scenario: A mock must be called all the same
    Given a mock of "expr 1 + 2"
    And the real command runs
    When the test replays
    Then verification fails with UNFULFILLED
    And the report says
      """
      never called: mock expr 1 + 2
      """

  Scenario: For some arguments only
    Given a stub of "expr 1 + 2"
    And the real command runs
    And a stub of "expr" with any arguments, called others
    And it answers "mocked\n"
    When the test replays
    And "expr 1 + 2" is called
    And "expr 2 + 2" is called
    Then the calls printed "3\n" "mocked\n"

  Scenario: First the real one, then an answer
    Given a stub of "expr 1 + 2"
    And the real command runs once
    And it answers "mocked\n"
    When the test replays
    And "expr 1 + 2" is called 3 times
    Then the calls printed "3\n" "mocked\n" "mocked\n"

  Scenario: First an answer, then the real one for ever
    Given a stub of "expr 1 + 2"
    And it answers "mocked\n" once
    And the real command runs
    When the test replays
    And "expr 1 + 2" is called 3 times
    Then the calls printed "mocked\n" "3\n" "3\n"

  Scenario: Where no double accepts a call
    Given a stub of "expr 1 + 2"
    And it answers "mocked\n"
    And the command "basename" is registered
    And the real command runs where no double accepts a call
    When the test replays
    And "expr 1 + 2" is called
    And "expr 2 + 2" is called
    And "basename /a/b" is called
    Then the calls printed "mocked\n" "4\n" "b\n"
    And verification passes

  Scenario: A call that is one too many does not run it
    Given a mock of "expr 1 + 2"
    And the real command runs
    When the test replays
    And "expr 1 + 2" is called 2 times
    Then the calls exited with 0 125
    And the calls printed "3\n" ""
    And verification fails with EXCESS_CALL

  Scenario: Death by a signal is died again
    Given a spy of "sh" with any arguments
    And the real command runs
    When the test replays
    And "sh -c 'kill -TERM $$'" is called
    Then it died by signal 15
    And the journal is
      | command | end     |
      | sh      | SIGTERM |
    And verification passes

  Scenario: It is stopped in time
    Given a spy of "sleep 1000"
    And the real command runs for at most 10 ms
    When the test replays
    And "sleep 1000" is called
    Then it exited with 124
    And the journal is
      | command | timed out |
      | sleep   | yes       |

  Scenario: Both outputs in one file stay in order
    Given a spy of "sh" with any arguments
    And the real command runs
    When the test replays
    And the script runs
      """
      sh -c 'echo 1; echo 2 >&2; echo 3' 2>&1
      """
    Then it printed "1\n2\n3\n"
    And the journal is
      | stdout      | stderr | merged |
      | 1\n2\n3\n |        | yes    |

  Scenario: The beginning of long streams is kept
    Given a spy of "echo 1234567890"
    And the real command runs, and 4 bytes of each stream are kept
    When the test replays
    And "echo 1234567890" is called
    Then it printed "1234567890\n"
    And the journal is
      | command | stdout | length |
      | echo    | 1234   | 11     |

  Scenario: What is not captured is its own, and nobody hears of its end
    Given a spy of "expr 1 + 2"
    And the real command runs uncaptured
    When the test replays
    And "expr 1 + 2" is called
    Then it printed "3\n"
    And the journal is
      | command | program | stdout | end     | state     |
      | expr    | expr    |        | unknown | COMPLETED |
    And verification passes

  Scenario: Its stdin is captured as far as it reads
    Given a spy of "sh" with any arguments
    And it captures stdin
    And the real command runs
    When the test replays
    And the script runs
      """
      printf 'one\ntwo\n' | { sh -c 'read x; echo $x'; cat; }
      """
    Then it printed "one\ntwo\n"
    And the journal is
      | command | stdin |
      | sh      | one\n |

  Scenario: A stdin that was read to decide still reaches it
    Given a stub of "cat" with any arguments, called mocked
    And its stdin equals "mock me"
    And it answers "mocked"
    And a spy of "cat" with any arguments, called real
    And the real command runs
    When the test replays
    And "cat" is called with the stdin "mock me"
    And "cat" is called with the stdin "real"
    Then the calls printed "mocked" "real"

  Scenario: It has the variables that the double gives
    Given a spy of "printenv GREETING"
    And it gives the call GREETING="hello"
    And the real command runs
    When the test replays
    And "printenv GREETING" is called
    Then it printed "hello\n"

  Scenario: A variable says which program is the real one
    Given a spy of "no-such" with any arguments
    And the real command runs
    When the test replays
    And "no-such x" is called with CMOX_REAL_COMMAND_NO_SUCH="/bin/echo"
    Then it printed "x\n"
    And the journal is
      | command | program |
      | no-such | echo    |

  Scenario: One that does not exist
    Given a spy of "no-such" with any arguments
    And the real command runs
    When the test replays
    And "no-such x" is called
    Then it exited with 127
    And verification passes with the remark "the real command could not be run"

  Scenario: One that comes back to its own shim for ever
    Given a spy of "sh" with any arguments
    And the real command runs
    When the test replays
    And "sh -c true" is called with CMOX_PASSTHROUGH="sh/sh/make/sh/sh/sh/sh/sh"
    Then it exited with 0
    When "sh -c true" is called with CMOX_PASSTHROUGH="sh/sh/make/sh/sh/sh/sh/sh/sh"
    Then it was refused, since "come back to its own shim too often"
    And verification fails with UNEXPECTED_CALL

  Scenario: A gate holds it back
    Given a spy of "expr 1 + 2"
    And the real command runs when the gate go is opened
    When the test replays
    And "expr 1 + 2" is started
    Then "expr 1 + 2" still runs
    When the gate go is opened
    Then 1 calls go on
    When "expr 1 + 2" ends
    Then it printed "3\n"

  Scenario: One that still runs when the test looks
    Given a spy of "sleep 1000"
    And the real command runs
    When the test replays
    And "sleep 1000" is started
    Then verification passes with the remark "still running: sleep 1000"
    When "sleep 1000" is told to end
    Then it died by signal 15

  Scenario: Assertions know its calls
    Given a spy of "expr" with any arguments, called expr
    And the real command runs
    When the test replays
    And "expr 1 + 2" is called
    And it is asserted of "expr" that it was CALLED_WITH
      | call  |
      | 1 + 2 |
    Then that is true

  Scenario: Another program takes its place
    Given a spy of "expr 1 + 2"
    And the real command runs as the program "/bin/echo"
    When the test replays
    And "expr 1 + 2" is called with CMOX_REAL_COMMAND_EXPR="/bin/false"
    Then it printed "1 + 2\n"
    And the journal is
      | command | program |
      | expr    | echo    |

  Scenario: Which program that is, is said whole
    Given a spy of "expr 1 + 2"
    And the real command runs as the program "bin/echo"
    Then that is refused with INVALID_ARGUMENT, since "not an absolute path"
