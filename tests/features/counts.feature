Feature: How often a mock must be called

  Scenario Outline: <count> calls are asked for, <calls> are made
    Given a mock of "make all"
    And it takes <count> calls
    When the test replays
    And "make all" is called <calls> times
    Then verification <result>

    Examples: exactly
      | count     | calls | result                 |
      | exactly 2 | 0     | fails with UNFULFILLED |
      | exactly 2 | 1     | fails with WRONG_COUNT |
      | exactly 2 | 2     | passes                 |
      | exactly 2 | 3     | fails with EXCESS_CALL |

    Examples: at least
      | count      | calls | result                 |
      | at least 2 | 0     | fails with UNFULFILLED |
      | at least 2 | 1     | fails with WRONG_COUNT |
      | at least 2 | 2     | passes                 |
      | at least 2 | 4     | passes                 |

    Examples: at most
      | count     | calls | result                 |
      | at most 2 | 0     | passes                 |
      | at most 2 | 2     | passes                 |
      | at most 2 | 3     | fails with EXCESS_CALL |

    Examples: between
      | count           | calls | result                 |
      | between 1 and 3 | 0     | fails with UNFULFILLED |
      | between 1 and 3 | 1     | passes                 |
      | between 1 and 3 | 3     | passes                 |
      | between 1 and 3 | 4     | fails with EXCESS_CALL |

    Examples: never and any
      | count | calls | result                 |
      | never | 0     | passes                 |
      | never | 1     | fails with EXCESS_CALL |
      | any   | 0     | passes                 |
      | any   | 3     | passes                 |

  Scenario Outline: The report says what was asked for: <words>
    Given a mock of "make all"
    And it takes <count> calls
    When the test replays
    And "make all" is called <calls> times
    Then verification fails with <finding>
    And the report says
      """
      <words>
      """

    Examples:
      | count           | calls | finding     | words                                                                 |
      | exactly 3       | 1     | WRONG_COUNT | called 1 time: mock make all (test:1), expected exactly 3 calls       |
      | at least 2      | 1     | WRONG_COUNT | called 1 time: mock make all (test:1), expected at least 2 calls      |
      | between 2 and 4 | 0     | UNFULFILLED | never called: mock make all (test:1), expected between 2 and 4 calls  |
      | at most 1       | 2     | EXCESS_CALL | it matches mock make all (test:1), which takes at most 1 call         |
      | never           | 1     | EXCESS_CALL | it matches mock make all (test:1), which must not be called           |

  Scenario: The calls too many are told once, with how many there were
    Given a mock of "make all"
    When the test replays
    And "make all" is called 3 times
    Then verification fails with EXCESS_CALL
    And the report says
      """
      one call too many: make all (2 times)
      """
    And the report says
      """
      cmox_times(d, 3);
      """

  Scenario: A count belongs to a mock
    Given a stub of "make all"
    And it must be called 2 times
    Then that is refused with INVALID_ARGUMENT, since "a count belongs to a mock"

  Scenario: A count whose ends are the wrong way round
    Given a mock of "make all"
    And it must be called between 3 and 2 times
    Then that is refused with INVALID_ARGUMENT, since "the least number of calls is above the greatest"
