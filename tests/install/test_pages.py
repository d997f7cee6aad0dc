"""The man pages and the completions that are made of the program's table."""

import os
import shutil
import subprocess
import unittest

BUILD = os.environ["CMDMOX_BUILD"]
PROGRAM = os.path.join(BUILD, "bin/cmdmox")
SHARE = os.path.join(BUILD, "share")
PAGES = os.path.join(SHARE, "man/man1")
BASH = os.path.join(SHARE, "bash-completion/completions/cmdmox")
ZSH = os.path.join(SHARE, "zsh/site-functions/_cmdmox")
FISH = os.path.join(SHARE, "fish/vendor_completions.d/cmdmox.fish")
HANG = 60


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False, **more)


def bash_completes(*words):
    """What bash offers for the last word."""
    script = """
        . "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _cmdmox cmdmox "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = run("bash", "-u", "-c", script, "bash", BASH, "cmdmox", *words)
    assert done.stderr == "", done.stderr
    return done.stdout.split()


class Pages(unittest.TestCase):
    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_the_pages_are_formatted_without_a_warning(self):
        for page in sorted(os.listdir(PAGES)):
            with self.subTest(page):
                done = run("groff", "-ww", "-man", "-Tascii", "-P-cbou", os.path.join(PAGES, page))
                self.assertEqual(done.stderr, "")
                self.assertIn("NAME", done.stdout)

    def test_a_page_has_all_that_help_says(self):
        with open(os.path.join(PAGES, "cmdmox-serve.1"), encoding="ascii") as file:
            page = file.read().replace("\\-", "-")
        for word in ("--stdio", "--listen", "ADDRESS", "and print the address when ready"):
            self.assertIn(word, page)

    def test_the_lines_of_help_fit_a_terminal(self):
        for page in sorted(os.listdir(PAGES)):
            verb = page.removeprefix("cmdmox-").removesuffix(".1").replace("-", " ").split()
            text = run(PROGRAM, "help", *([] if page == "cmdmox.1" else verb)).stdout
            with self.subTest(page):
                self.assertLessEqual(max(map(len, text.splitlines())), 100)


@unittest.skipUnless(shutil.which("bash"), "bash is not installed")
class Bash(unittest.TestCase):
    def test_verbs(self):
        self.assertEqual(bash_completes("se")[0], "serve")
        self.assertIn("completion", bash_completes(""))

    def test_options_of_a_verb(self):
        self.assertEqual(bash_completes("serve", "--l"), ["--listen"])
        self.assertEqual(bash_completes("version", "--"), ["--help"])

    def test_choices_and_verbs_as_words(self):
        self.assertEqual(bash_completes("completion", "f"), ["fish"])
        self.assertIn("isolate", bash_completes("help", ""))

    def test_files(self):
        self.assertIn("/etc/passwd", bash_completes("isolate", "/etc/passw"))

    def test_the_operand_of_an_option_is_no_option(self):
        self.assertEqual(bash_completes("serve", "--listen", ""), [])


class Others(unittest.TestCase):
    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_reads_its_own(self):
        done = run("zsh", "-f", "-c", 'autoload -U compinit && compinit -D -u && . "$1" && which _cmdmox', "zsh", ZSH)
        self.assertEqual(done.stderr, "")
        self.assertIn("_cmdmox", done.stdout)

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish_offers_verbs_and_options(self):
        script = f"source {FISH}; complete -C 'cmdmox ser'; complete -C 'cmdmox serve --li'"
        done = run("fish", "--no-config", "-c", script)
        self.assertEqual(done.stderr, "")
        offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
        self.assertEqual([offered[0], offered[-1]], ["serve", "--listen"])


if __name__ == "__main__":
    unittest.main()
