"""What each verb of a shell session does, and how it fails: every case is a script of a few lines."""

import json
import unittest

from shells import Shell

START = 'eval "$(cmdmox session start)"\n'
END = '\neval "$(cmdmox session end)"\n'


class Doubles(Shell):
    def check(self, script, status=0, out=b"", err=b""):
        """err: what stderr contains; empty: nothing may be there."""
        done = self.sh(START + script, cwd=self.place)
        self.assertEqual(done[:2], (status, out), done[2])
        if err:
            self.assertIn(err, done[2])
        else:
            self.assertEqual(done[2], b"")

    def test_answers(self):
        self.check("cmdmox stub --out o --err e --exit 7 git; git; echo $?", 0, b"o\n7\n", b"e\n")

    def test_bytes_from_stdin(self):
        self.check(r"printf 'a\0\377' | cmdmox stub --out-file - git; git | od -An -tx1", 0, b" 61 00 ff\n")

    def test_arguments_exactly_and_by_pattern(self):
        self.check("cmdmox stub --out exact git a 'b c'; cmdmox stub --glob --out like git 'v*'; "
                   "cmdmox stub --no-args --out none git; git a 'b c'; git v1; git", 0, b"exact\nlike\nnone\n")

    def test_a_double_in_json(self):
        self.check("""echo '{"command": "git", "argv": ["a", {"regex": "^v"}]}' | cmdmox mock --json -
                      git a v1 && cmdmox verify && echo passed""", 0, b"passed\n")

    def test_wrong_json_is_told_by_line_and_column(self):
        self.check("""printf '{"command": "git",\n"argx": []}' | cmdmox mock --json -; exit $?""", 3,
                   err=b"cmdmox mock: stdin:2:1: argx: there is no such name here; did you mean \"argv\"?")

    def test_the_place_of_a_double_is_in_the_report(self):
        self.check("cmdmox mock --at 'dir/release.bats:12' git push; cmdmox verify", 1,
                   err=b"never called: mock git push (dir/release.bats:12)")
        self.check("cmdmox mock --at nowhere git; exit $?", 2, err=b"--at nowhere: write FILE:LINE")

    def test_in_order(self):
        order = "cmdmox mock --in-order git add; cmdmox mock --in-order git commit\n"
        self.check(order + "git add; git commit; cmdmox verify")
        self.check(order + "git commit 2>/dev/null; git add; cmdmox verify", 1, err=b"out of order")

    def test_a_gate(self):
        self.check("""cmdmox stub --gate g --out late git
                      git & until [ "$(cmdmox calls git)" = 1 ]; do :; done
                      echo first; cmdmox release g; wait""", 0, b"first\nlate\n")

    def test_a_gate_at_which_nothing_waits(self):
        self.check("cmdmox release g", 0, err=b'no call waits at "g"')

    def test_default(self):
        self.check("cmdmox register git; cmdmox default --exit 9; git; echo $?; cmdmox default --refuse; git", 125,
                   b"9\n", b"unexpected call: git")

    def test_registered_commands_do_not_run(self):
        self.check("cmdmox register rm mkfs; rm -rf x; echo $?; mkfs; exit $?", 125, b"125\n", b"unexpected call: rm -rf x")

    def test_usage(self):
        for line, told in (("mock", b"say which command is meant"), ("mock a/b", b"a/b"),
                           ("stub --times 1 git", b"--times"), ("mock --exit 256 git", b"from 0 to 255"),
                           ("assert git", b'there is no verb "assert git"'), ("default", b"say what it answers"),
                           ("allow", b"something is missing"), ("release", b"something is missing")):
            with self.subTest(line):
                self.check(f"cmdmox {line}; exit $?", 2, err=told)


class Paths(Shell):
    def test_contained_and_allowed(self):
        status, out, err = self.sh('eval "$(cmdmox session start --contained)"\n'
                                   "cmdmox allow cat\necho x | cat; wc -l; echo $?" + END)
        self.assertEqual((status, out), (1, b"x\n125\n"))
        self.assertIn(b"or allow the real one: cmdmox allow wc", err)

    def test_what_cannot_be_allowed(self):
        status, _, err = self.sh('eval "$(cmdmox session start --contained)"\ncmdmox allow nonesuch')
        self.assertEqual(status, 2)
        self.assertIn(b"nonesuch", err)

    def test_absent(self):
        self.in_each_shell('eval "$(cmdmox session start --absent od --absent wc)"\n'
                           "command -v od || echo no od; command -v wc || echo no wc; echo x | cat" + END,
                           (0, b"no od\nno wc\nx\n", b""))

    def test_a_double_that_is_a_function_too(self):
        """Of a builtin, and with another PATH; an exported one does not hold the session's directory."""
        self.in_each_shell(START + 'eval "$(cmdmox mock --times 2 --out faked --function pwd)"\npwd; PATH=/nonexistent; pwd; PATH='
                           + self.environment["PATH"] + END, (0, b"faked\nfaked\n", b""))
        self.assertEqual(self.sh(START + 'eval "$(cmdmox stub --out faked --function deploy)"\nexport -f deploy\nsh -c "bash -c deploy"'
                                 + END + 'ls "$CMOX_TMPDIR"', shell=("bash",)), (0, b"faked\n", b""))

    def test_a_function_that_cannot_be(self):
        for words, told in (("--function a/b", b"--function: a shell takes no function of such a name"), ("--function 0a", b"of such a name"),
                            ("--function if", b"--function: if is a word of the shell itself"), ("--function select x", b"select is a word of the shell itself"),
                            ("--function --nonesuch a", b'there is no option "--nonesuch"')):
            with self.subTest(words):
                status, out, err = self.sh(f'{START}set -e\neval "$(cmdmox mock {words})"\necho reached')
                self.assertEqual((status, out), (2, b""))
                self.assertIn(told, err)

    def test_of_a_command_that_was_never_called_the_other_calls_are_told(self):
        begin = START + "cmdmox stub git\ngit push\n"
        status, _, err = self.sh(begin + "cmdmox assert called gti push; exit $?")
        self.assertEqual((status, err.endswith(b"\n   calls of other commands:\n     git push\n")), (1, True), err)
        _, _, err = self.sh(begin + "for i in 1 2 3 4 5 6 7 8 9 10 11; do git $i; done; cmdmox assert called gti")
        self.assertRegex(err, rb"gti was never called\n   calls of other commands:\n     \(2 before these\)\n     git 2\n(?s:.*)     git 11\n$")

    def test_the_dialect_of_a_session(self):
        _, _, err = self.sh('eval "$(cmdmox session start --dialect bats)"\ncmdmox mock git push\ngit pull; cmdmox verify')
        self.assertIn(b"     cmdmox_mock git pull\n", err)
        status, _, err = self.sh('eval "$(cmdmox session start --dialect cobol)"\necho reached')
        self.assertEqual(status, 2)
        self.assertIn(b"--dialect cobol: write shell or bats", err)

    def test_nested_sessions(self):
        self.in_each_shell(START + "cmdmox stub --out outer git\n" + START + "cmdmox stub --out inner git\ngit"
                           + END + "git; cmdmox calls git" + END, (0, b"inner\nouter\n1\n", b""))

    def test_two_sessions_one_after_the_other(self):
        self.in_each_shell((START + "cmdmox mock --out x git\ngit\ncmdmox verify" + END) * 2, (0, b"x\nx\n", b""))


class Asking(Shell):
    calls = START + "cmdmox spy git\ngit push origin; git pull\n"

    def test_assert(self):
        for line, status, told in (
                ("called git", 0, None), ("called git push origin", 0, None), ("not-called wget", 0, None),
                ("not-called git push", 0, None), ("last git pull", 0, None), ("called --args-any git push", 0, None),
                ("called wget", 1, b"wget was never called"), ("called git push", 1, b"git had no such call"),
                ("not-called git", 1, b"git was called 2 times"),
                ("not-called --args-any git push", 1, b"there was such a call: git push"),
                ("last git push origin", 1, b"the last call is another one than expected of git")):
            with self.subTest(line):
                done = self.sh(self.calls + f"cmdmox assert {line}")
                self.assertEqual(done[:2], (status, b""), done[2])
                if told:
                    self.assertIn(b"cmdmox: assertion failed: " + told, done[2])
                else:
                    self.assertEqual(done[2], b"")

    def test_journal(self):
        self.assertEqual(self.sh(self.calls + "cmdmox journal; cmdmox journal wget"),
                         (0, b"1\taccepted\t0\tgit push origin\n2\taccepted\t0\tgit pull\n", b""))

    def test_journal_masks_what_looks_secret(self):
        secret = "".join(("hun", "ter", "2"))
        _, out, _ = self.sh(START + f"cmdmox spy curl\ncurl --token {secret}\ncmdmox journal")
        self.assertIn(b"curl --token", out)
        self.assertNotIn(secret.encode(), out)

    def test_quote_shows_words_as_reports_do(self):
        secret = "".join(("hun", "ter", "2"))
        done = self.sh(f"cmdmox quote -- --token {secret} 'a\"b' '' \"$(printf 'x\\ny\\377')\" --password={secret} {'z' * 500}")
        self.assertEqual((done[0], done[2]), (0, b""))
        lines = done[1].decode().splitlines()
        self.assertEqual(lines[:6], ['"--token"', '"***"', '"a\\"b"', '""', r'"x\ny\xff"', '"--password=***"'])
        self.assertLess(len(lines[6]), 250)
        self.assertEqual(self.sh("cmdmox quote"), (0, b"", b""))

    def test_journal_in_json_is_a_call_a_line(self):
        _, out, _ = self.sh(self.calls + "cmdmox journal --json")
        self.assertEqual([call["argv"][1:] for call in map(json.loads, out.splitlines())], [["push", "origin"], ["pull"]])

    def test_a_bounded_journal_says_what_it_lacks(self):
        status, out, err = self.sh('eval "$(cmdmox session start --max-journal-entries 1)"\n'
                                   "cmdmox spy git\ngit a; git b; cmdmox journal; cmdmox calls")
        self.assertEqual((status, out, err), (0, b"2\taccepted\t0\tgit b\n2\n", b"(1 before these were not kept: "
                                              b"--max-journal-entries)\n"))

    def test_reports_for_programs(self):
        wrong = START + "cmdmox mock git\n"
        status, out, err = self.sh(wrong + "cmdmox verify --json")
        self.assertEqual((status, json.loads(out)["passed"], err), (1, False, b""))
        self.assertIn(b"<testcase", self.sh(wrong + "cmdmox verify --junit")[1])
        self.assertIn(b"not ok 1", self.sh(wrong + "cmdmox verify --tap")[1])
        status, out, _ = self.sh(START + "cmdmox verify --tap")
        self.assertEqual(status, 0)
        self.assertIn(b"ok 1", out)


if __name__ == "__main__":
    unittest.main()
