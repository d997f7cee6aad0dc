Feature: What a double answers

  Scenario: Nothing was said
    Given a stub of "git status"
    When the test replays
    And "git status" is called
    Then it exited with 0
    And it printed ""
    And it printed "" on stderr

  Scenario: Both streams
    Given a stub of "git status"
    And it answers "clean\n" and on stderr "warning\n"
    When the test replays
    And "git status" is called
    Then it printed "clean\n"
    And it printed "warning\n" on stderr
    And it exited with 0

  Scenario: Bytes stay bytes
    Given a stub of "git status"
    And it answers "\x00\xff\n\x1b"
    When the test replays
    And "git status" is called
    Then it printed "\x00\xff\n\x1b"

  Scenario: An exit status
    Given a stub of "git status"
    And it answers "x" and exits with 255
    When the test replays
    And "git status" is called
    Then it exited with 255
    And it printed "x"

  Scenario: Death by a signal is real
    Given a stub of "git status"
    And it dies by SIGTERM
    When the test replays
    And "git status" is called
    Then it died by signal 15
    And verification passes

  Scenario: A delay
    Given a stub of "sleep 1"
    And it answers "late\n" after 20 ms
    When the test replays
    And "sleep 1" is called
    Then it printed "late\n"

  Scenario: A command that hangs until it is killed
    Given a mock of "ssh host"
    And it answers "Welcome\n" and hangs
    When the test replays
    And "ssh host" is started
    Then "ssh host" prints
    And "ssh host" still runs
    When "ssh host" is killed
    Then it died by signal 9
    And it printed "Welcome\n"
    And verification passes

  Scenario: A gate holds calls until the test opens it
    Given a mock of "ssh host"
    And it must be called 2 times
    And it answers "done\n" when the gate network is opened
    When the test replays
    And "ssh host" is started
    And "ssh host" is started
    Then "ssh host" still runs
    When the gate other is opened
    Then 0 calls go on
    When the gate network is opened
    Then 2 calls go on
    When "ssh host" ends
    Then the calls printed "done\n" "done\n"
    And verification passes

  Scenario: First fail, then succeed
    Given a mock of "curl" with any arguments, called curl
    And it must be called 3 times
    And it exits with 7 once
    And it answers "body\n"
    When the test replays
    And "curl x" is called 3 times
    Then the calls exited with 7 0 0
    And the calls printed "" "body\n" "body\n"
    And verification passes

  Scenario: Turns follow each other, and the last one goes on
    Given a stub of "date"
    And it answers "1\n" once
    And it answers "2\n" to 2 calls
    And it answers "3\n" from then on
    When the test replays
    And "date" is called 5 times
    Then the calls printed "1\n" "2\n" "2\n" "3\n" "3\n"

  Scenario: Without a last word the last turn goes on
    Given a stub of "date"
    And it answers "1\n" once
    And it answers "2\n" once
    When the test replays
    And "date" is called 4 times
    Then the calls printed "1\n" "2\n" "2\n" "2\n"

  Scenario: A call that is refused uses up no turn
    Given a mock of "git fetch"
    And a mock of "git pull"
    And it must be called 2 times
    And it answers "1\n" once
    And it answers "2\n"
    And "git pull" must come after "git fetch"
    When the test replays
    And these are called
      | call      |
      | git pull  |
      | git fetch |
      | git pull  |
      | git pull  |
    Then the calls printed "" "" "1\n" "2\n"

  Scenario: No exit status is above 255
    Given a stub of "git status"
    And it exits with 256
    Then that is refused with INVALID_ARGUMENT, since "exit"

  Scenario: A signal that the system of the call does not know
    Given a mock of "git status"
    And it dies by SIGWHAT
    When the test replays
    And "git status" is called
    Then it was refused, since "SIGWHAT"
    And verification fails with NEVER_COMPLETED

  Scenario: A gate that nobody opens
    Given a mock of "ssh host"
    And it answers "done\n" when the gate network is opened
    When the test replays
    And "ssh host" is started
    Then verification fails with IN_FLIGHT

  Scenario: A call that is killed while a gate holds it is worth a remark
    Given a mock of "ssh host"
    And it answers "done\n" when the gate network is opened
    When the test replays
    And "ssh host" is started
    And "ssh host" is killed
    Then verification passes with the remark "killed before it was done: ssh host"
