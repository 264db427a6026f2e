package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/prewarm/prewarm/internal/api"
)

// dockerFlags are flags of docker run that run lacks on purpose.
var dockerFlags = map[string]string{
	"i":           noStdin,
	"interactive": noStdin,
	"a":           "stdout and stderr are always attached, or neither with --detach",
	"attach":      "stdout and stderr are always attached, or neither with --detach",
	"rm":          "containers are always removed, their logs are kept: leave it out",
	"name":        "containers have names of the server's: name the work with --key, or the host in its network with --network-alias",
	"pull":        "a run never pulls: --wait-warm waits for the image, --fresh asks for the newest",
	"restart":     "a run is one execution: submit it again where it fails",
	"log-driver":  "the server reads the log, so the driver is its own: --log-cap bounds the log",
	"log-opt":     "the server reads the log, so the driver is its own: --log-cap bounds the log",
	"cidfile":     "--detach prints the run's id, --status-file writes it to a file",

	"net":          "write --network",
	"net-alias":    "write --network-alias",
	"userns":       ownNamespace,
	"uts":          ownNamespace,
	"cgroupns":     ownNamespace,
	"cpu-period":   "write the number of CPUs: --cpus",
	"cpu-quota":    "write the number of CPUs: --cpus",
	"expose":       "in its network a container is reached on all ports: leave it out; --publish opens one on the host",
	"publish-all":  "name the ports: --publish",
	"P":            "name the ports: --publish",
	"link":         "name the container in a network: --network with --network-alias",
	"volumes-from": "name the volumes: --volume, or --scope-volume for the files of tasks that belong together",
	"quiet":        "a run never pulls, so there is no progress to hide: leave it out",
	"q":            "a run never pulls, so there is no progress to hide: leave it out",
	"sig-proxy":    "SIGINT and SIGTERM cancel the run: leave it out",
}

const ownNamespace = "a container has a namespace of its own, as the engine makes it: leave it out"

const noStdin = "a container has no stdin: leave it out"

// flagGroup is a part of run's flags: those about one subject. They are spelled
// as docker run spells them, where it has them.
type flagGroup interface {
	register(flags *pflag.FlagSet)
	// apply puts what was given into a request, or says what is wrong with it.
	apply(r *api.SubmitRun) error
}

// runFlags are the flags of run.
type runFlags struct {
	caller    caller
	env       envFlags
	process   processFlags
	network   networkFlags
	files     fileFlags
	resources resourceFlags
	rights    rightFlags
	terms     termFlags
	airflow   airflowFlags
	local     localFlags
}

// groups gives them in the order in which they are applied: later ones build on
// what earlier ones put into the request.
func (f *runFlags) groups() []flagGroup {
	f.env.caller, f.airflow.caller, f.airflow.terms = &f.caller, &f.caller, &f.terms
	return []flagGroup{&f.env, &f.process, &f.network, &f.files, &f.resources, &f.rights, &f.terms, &f.airflow, &f.local}
}

func (f *runFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false // by subject, as they are registered
	for _, group := range f.groups() {
		group.register(flags)
	}
	// Without its -h, which docker run gives to --hostname.
	flags.Bool("help", false, "help for "+cmd.Name())
}

// request is the submit that a command line means.
func (f *runFlags) request(flags *pflag.FlagSet, image string, command []string) (api.SubmitRun, error) {
	r := api.SubmitRun{Image: image, Command: command}
	if err := checkText(flags, image, command); err != nil {
		return r, err
	}
	for _, group := range f.groups() {
		if err := group.apply(&r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// checkText refuses what is not UTF-8: JSON would carry other bytes than those
// that were given, and the program would run with them.
func checkText(flags *pflag.FlagSet, image string, command []string) (err error) {
	if !utf8.ValidString(image) {
		return fmt.Errorf("the image's name is not UTF-8: %q", image)
	}
	for i, arg := range command {
		if !utf8.ValidString(arg) {
			return fmt.Errorf("word %d of the command is not UTF-8: %q", i+1, arg)
		}
	}
	flags.Visit(func(f *pflag.Flag) {
		// A variable's value is nobody's business; who reads these two says it without.
		if f.Name != "env" && f.Name != "secret-env" && !utf8.ValidString(f.Value.String()) {
			err = fmt.Errorf("--%s is not UTF-8: %q", f.Name, f.Value)
		}
	})
	return err
}

// readSize reads bytes, as docker writes them; empty is 0.
func readSize(flag, value string) (int64, error) {
	if value == "" {
		return 0, nil
	}
	bytes, err := units.RAMInBytes(value)
	if err != nil || bytes < 0 {
		return 0, fmt.Errorf("--%s %q: write it as 512m or 1g", flag, value)
	}
	return bytes, nil
}

// pairs reads words NAME=value into a map; the later one wins. Where bare is
// set, NAME alone means an empty value.
func pairs(flag string, words []string, bare bool) (map[string]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	all := make(map[string]string, len(words))
	for _, word := range words {
		name, value, given := strings.Cut(word, "=")
		if name == "" || !given && !bare {
			return nil, fmt.Errorf("--%s %q: write it as name=value", flag, word)
		}
		all[name] = value
	}
	return all, nil
}

// oneOf refuses a word that is none of those that a flag takes; empty is the
// server's default.
func oneOf(flag, value string, words ...string) error {
	if value == "" || slices.Contains(words, value) {
		return nil
	}
	last := len(words) - 1
	return fmt.Errorf("--%s %q: want %s or %s%s", flag, value, strings.Join(words[:last], ", "), words[last], meant(value, words))
}

// absolute refuses a path of the container that does not begin at the root.
// word is what the flag was given.
func absolute(flag, word, path string) error {
	if strings.HasPrefix(path, "/") {
		return nil
	}
	return fmt.Errorf("--%s %q: want an absolute path in the container", flag, word)
}
