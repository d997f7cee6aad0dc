Feature: What a single value may be
  The same matchers serve arguments, stdin, variables and the working directory.

  Scenario Outline: <matcher>: <accepted>, and not <refused>
    Given a stub of "echo" with any arguments, called echo
    And its only argument <matcher>
    When the test replays
    And these are called
      | call            |
      | echo <accepted> |
      | echo <refused>  |
    Then the calls exited with 0 125

    Examples:
      | matcher                                             | accepted       | refused        |
      | anything                                            | ''             |                |
      | equals "a b"                                        | 'a b'          | 'a  b'         |
      | starts with "v1."                                   | v1.2           | v12            |
      | ends with ".c"                                      | a.c            | a.cc           |
      | contains "error"                                    | 'an error: x'  | 'an Error'     |
      | matches "^v[0-9]+$"                                 | v12            | v12a           |
      | is like "*.[ch]"                                    | dir/a.h        | a.o            |
      | is an int                                           | -12            | 1.5            |
      | is a float                                          | 1.5e3          | 1,5            |
      | is a bool                                           | Yes            | maybe          |
      | is a path                                           | /tmp           | ''             |
      | is JSON                                             | '[1, {}]'      | '{1}'          |
      | is the JSON "{\"a\": [1, 2], \"b\": null}"          | '{"b":null,"a":[1,2]}' | '{"a":[2,1],"b":null}' |
      | equals "on" or equals "off"                         | off            | no             |
      | starts with "v" and not equals "v1"                 | v2             | v1             |
      | not starts with "-"                                 | x              | -x             |
      | not not is an int                                   | 1              | x              |
      | is an int and not starts with "-" or equals "all"   | all            | -1             |

  Scenario Outline: The cases of fixtures/matchers/<file>.json, by real calls
    When an argument is matched by each case of "matchers/<file>.json"
    Then each is accepted or refused as the file says

    Examples:
      | file        |
      | any         |
      | composites  |
      | contains    |
      | ends_with   |
      | equals      |
      | glob        |
      | is_a        |
      | json_equals |
      | regex       |
      | starts_with |

  Scenario Outline: A refusal says why: <why>
    Given a stub of "echo" with any arguments, called echo
    And its only argument <matcher>
    When the test replays
    And "echo <value>" is called
    Then it was refused, since "<why>"

    Examples:
      | matcher                     | value       | why                                                       |
      | equals "a"                  | b           | argument 1: expected \"a\", actual \"b\"                  |
      | is an int                   | x           | expected an integer, actual \"x\"                         |
      | is the JSON "{\"a\": 1}"    | '{\"a\":2}' | $.a: expected 1, actual 2                                 |
      | not starts with "-"         | -x          | expected not (starting with \"-\")                        |
      | matches "^v"                | x           | expected matching \"^v\", actual \"x\"                    |

  Scenario: A regular expression that explodes is given up, and says so
    Given a mock of "echo" with any arguments, called echo
    And its only argument matches "^(a+)+$"
    When the test replays
    And "echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" is called
    Then it was refused, since "a regular expression needs too much work"
    And verification fails with UNEXPECTED_CALL, UNFULFILLED

  Scenario Outline: A matcher that is wrong in itself: <matcher>
    Given a stub of "echo" with any arguments, called echo
    And its only argument <matcher>
    Then that is refused with <reason>, since "<why>"

    Examples:
      | matcher               | reason      | why                                    |
      | matches "(a"          | BAD_REGEX   | invalid regular expression \"(a\"      |
      | is like "[a"          | BAD_REGEX   | invalid glob \"[a\"                    |
      | is the JSON "{"       | BAD_MATCHER | invalid JSON at line 1                 |
