package cmdmox

import (
	"os"
	"os/exec"
	"path/filepath"
)

const programVariable = "CMDMOX_PROGRAM"

// findProgram is where the cmdmox program is: the one that the test names, that of CMDMOX_PROGRAM, or cmdmox on PATH.
// There is none in this package: modules of Go hold sources.
func findProgram(named string) (string, error) {
	if named != "" {
		return checkedProgram(named, "Program()")
	}
	if said := os.Getenv(programVariable); said != "" {
		return checkedProgram(said, programVariable)
	}
	found, err := exec.LookPath("cmdmox")
	if err != nil {
		return "", failure("NO_SERVER", "there is no cmdmox program on PATH: install cmdmox, or set %s, or say "+
			"cmdmox.New(t, cmdmox.Program(\"/path/to/cmdmox\"))", programVariable)
	}
	return filepath.Abs(found)
}

// checkedProgram is a path that somebody has named: it must be a program.
func checkedProgram(path, said string) (string, error) {
	info, err := os.Stat(path)
	why := ""
	switch {
	case err != nil || !info.Mode().IsRegular():
		why = "is no file"
	case info.Mode()&0o111 == 0:
		why = "is not executable"
	default:
		return filepath.Abs(path)
	}
	return "", failure("NO_SERVER", "%s names %s, which %s: give the path of the cmdmox program", said, path, why)
}
