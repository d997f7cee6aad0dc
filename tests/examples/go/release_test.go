package release

import (
	"strings"
	"testing"

	"cmdmox"
)

func TestVersion_clones_and_reads_the_tag(t *testing.T) {
	place := t.TempDir()
	mox := cmdmox.New(t, cmdmox.ApplyEnv())
	clone := mox.Mock("git").WithMatchingArgs("clone", cmdmox.Any(), cmdmox.Regex("^https://"), place)
	tag := mox.Mock("git").WithArgs("describe", "--tags").WithCwd(place).Returns(cmdmox.Response{Stdout: "v1.4.0\n"})
	mox.InOrder(clone, tag)

	version, err := Version("https://example.com/app.git", place)
	if err != nil || version != "v1.4.0" {
		t.Errorf("%v %q", err, version)
	}
}

func TestVersion_says_what_git_says(t *testing.T) {
	mox := cmdmox.New(t, cmdmox.ApplyEnv())
	mox.Mock("git").Returns(cmdmox.Response{Stderr: "fatal: no such repository\n", ExitCode: 128})

	_, err := Version("https://example.com/none.git", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "fatal: no such repository") {
		t.Error(err)
	}
}
