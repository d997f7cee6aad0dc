Feature: What the code under test finds on its PATH

  Background:
    Given these programs are installed: tool, other, third

  Scenario: Without containment a command that nobody names runs for real
    Given a mock of "tool"
    When the test replays
    And the script runs
      """
      tool && other
      """
    Then it printed "real other\n"
    And verification passes

  Scenario: In a contained session it is an unexpected call
    Given the session is contained
    And a stub of "tool"
    When the test replays
    And the script runs
      """
      tool && other -x
      """
    Then it exited with 125
    And verification fails with UNEXPECTED_CALL
    And the report says
      """
      unexpected call: other -x (the session is contained, and the command has no double)
         declare a double of it, or allow the real one: cmox_allow(mox, "other");
      """

  Scenario: Unless it is allowed
    Given the session is contained
    And the command "other" is allowed
    And a stub of "tool"
    When the test replays
    And the script runs
      """
      tool && other
      """
    Then it printed "real other\n"
    And verification passes

  Scenario: What is not installed is not found, contained or not
    Given the session is contained
    When the test replays
    And the script runs
      """
      cmdmox-nothing
      """
    Then it exited with 127
    And verification passes

  Scenario: Only what is installed can be allowed
    Given the session is contained
    And the command "cmdmox-nothing" is allowed
    And that is refused with NOT_FOUND, since "no program of this name is on PATH"

  Scenario: There is nothing to allow where all runs that is not mocked
    Given the command "tool" is allowed
    And that is refused with BAD_STATE, since "only a contained session needs to allow commands"

  Scenario Outline: An absent command looks as if it were not installed, and its neighbours are there
    Given <a session>
    And the command "tool" is absent
    And <the neighbour>
    When the test replays
    And the script runs
      """
      command -v tool || other
      tool
      """
    Then it exited with 127
    And it printed "real other\n"
    And verification passes

    Examples:
      | a session                | the neighbour                      |
      | the session is contained | the command "other" is allowed     |
      | a stub of "git"          | the command "no-such-one" is absent |

  Scenario: A command is one thing only
    Given a mock of "tool"
    And the command "tool" is absent
    And that is refused with BAD_STATE, since "tool cannot be absent: it has a double"

  Scenario: What is absent is said before replay
    When the test replays
    And the command "tool" is absent
    And that is refused with BAD_STATE, since "say it before replay"
    Then verification passes

  Scenario: A PATH in another order, and the report says so
    Given a mock of "tool"
    And a stub of "git"
    When the test replays
    And the script runs
      """
      PATH=${PATH#*:}:${PATH%%:*}
      ${PATH##*:}/git
      tool
      """
    Then it printed "real tool\n"
    And verification fails with UNFULFILLED
    And the report says
      """
      the shim of tool was never reached, probably because
         the environment of git (call 1) has a PATH that finds
      """
