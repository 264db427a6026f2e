package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// readEnv joins environment files and single variables, the later ones
// winning, as docker run does: NAME alone passes on the caller's value, and is
// left out where the caller has none.
func readEnv(files, vars []string, lookup func(string) (string, bool)) ([]string, error) {
	var env []string
	add := func(where, v string) error {
		name, _, given := strings.Cut(v, "=")
		if name == "" || strings.ContainsAny(name, " \t") {
			return fmt.Errorf("%s: %q is no variable: write NAME=value or NAME", where, v)
		}
		if !given {
			value, ok := lookup(name)
			if !ok {
				return nil
			}
			v = name + "=" + value
		}
		env = append(env, v)
		return nil
	}
	for _, path := range files {
		if err := eachLine(path, add); err != nil {
			return nil, err
		}
	}
	for _, v := range vars {
		if err := add("--env", v); err != nil {
			return nil, err
		}
	}
	return env, nil
}

// eachLine passes the lines of an environment file that are neither empty nor
// comments.
func eachLine(path string, add func(where, v string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read --env-file: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimLeft(lines.Text(), " \t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := add(fmt.Sprintf("%s, line %d", path, n), line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read --env-file %s: %w", path, err)
	}
	return nil
}
