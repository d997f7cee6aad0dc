Feature: Which arguments a double accepts
  Arguments are bytes and are never joined: two words are two arguments.

  Scenario: Without a word about them, all
    Given a stub of "git" with any arguments, called git
    When the test replays
    And these are called
      | call              |
      | git               |
      | git log --oneline |
    Then "git" took 2 calls

  Scenario: No arguments are a list too
    Given a stub of "git"
    When the test replays
    And these are called
      | call       |
      | git        |
      | git status |
    Then the calls exited with 0 125

  Scenario: Two words are not one argument
    Given a stub of "git commit -m 'a b'"
    When the test replays
    And these are called
      | call                |
      | git commit -m 'a b' |
      | git commit -m a b   |
    Then the calls exited with 0 125

  Scenario: A matcher for each argument
    Given a stub of "git" with any arguments, called clone
    And its arguments are
      | argument               |
      | equals "clone"         |
      | starts with "https://" |
      | anything               |
    When the test replays
    And these are called
      | call                      |
      | git clone https://x/y app |
      | git clone http://x/y app  |
      | git clone https://x/y     |
      | git fetch https://x/y app |
    Then the calls exited with 0 125 125 125

  Scenario: The rest
    Given a stub of "rm" with any arguments, called rm
    And its arguments are
      | argument                 |
      | equals "-f"              |
      | the rest: ends with ".o" |
    When the test replays
    And these are called
      | call         |
      | rm -f        |
      | rm -f a.o    |
      | rm -f a.o bo |
      | rm a.o       |
    Then the calls exited with 0 0 125 125

  Scenario: In any order
    Given a stub of "tar" with any arguments, called tar
    And its arguments are
      | argument                                |
      | in any order: equals "-x", equals "-v"  |
      | anything                                |
    When the test replays
    And these are called
      | call            |
      | tar -x -v a.tar |
      | tar -v -x a.tar |
      | tar -x a.tar    |
      | tar -x -x a.tar |
    Then the calls exited with 0 0 125 125

  Scenario: Among others
    Given a stub of "cc" with any arguments, called cc
    And its arguments are
      | argument                                     |
      | among them: equals "-c", ends with ".c"      |
    When the test replays
    And these are called
      | call              |
      | cc -O2 a.c -c -Wl |
      | cc a.c -c         |
      | cc -c             |
      | cc a.c            |
    Then the calls exited with 0 0 125 125

  Scenario: A flag with its value, both ways
    Given a stub of "git" with any arguments, called commit
    And its arguments are
      | argument                             |
      | equals "commit"                      |
      | flag "--message" starts with "fix: " |
    When the test replays
    And these are called
      | call                            |
      | git commit --message 'fix: it'  |
      | git commit '--message=fix: it'  |
      | git commit --message 'feat: it' |
      | git commit --message            |
      | git commit -m 'fix: it'         |
      | git commit --message 'fix: a' b |
    Then the calls exited with 0 0 125 125 125 125

  Scenario Outline: The cases of fixtures/arguments/<file>.json, by real calls
    When arguments are matched by each case of "arguments/<file>.json"
    Then each is accepted or refused as the file says

    Examples:
      | file      |
      | one       |
      | rest      |
      | any_order |
      | contains  |
      | flag      |
      | secrets   |

  Scenario: What takes the rest must come last
    Given a stub of "git" with any arguments, called git
    And its arguments are
      | argument           |
      | the rest: anything |
      | equals "x"         |
    Then that is refused with BAD_MATCHER, since "argument item 1: what takes all that is left must come last"
