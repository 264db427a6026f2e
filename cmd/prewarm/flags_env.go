package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/prewarm/prewarm/internal/api"
)

// caller is the environment that prewarm run was started in. Its zero value is
// the process's own; tests put their own here.
type caller struct{ environ []string }

func (c *caller) all() []string {
	if c.environ == nil {
		c.environ = os.Environ()
	}
	return c.environ
}

func (c *caller) lookup(name string) (string, bool) {
	for _, v := range slices.Backward(c.all()) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// envFlags are the container's variables.
type envFlags struct {
	caller   *caller
	vars     []string
	files    []string
	secrets  []string
	unmasked bool
}

func (f *envFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.vars, "env", "e", nil, "`NAME=value`, or NAME to pass on the caller's; may be repeated")
	flags.StringArrayVar(&f.files, "env-file", nil, "`file` with a variable on each line, # before comments; may be repeated")
	flags.StringArrayVar(&f.secrets, "secret-env", nil, "`NAME` to pass on the caller's value as a secret, or NAME=file:/path of a file on the server; may be repeated")
	flags.BoolVar(&f.unmasked, "unmasked", false, "leave the values of --secret-env readable in the log")
}

func (f *envFlags) apply(r *api.SubmitRun) (err error) {
	r.Unmasked = f.unmasked
	if r.Env, err = readEnv(f.files, f.vars, f.caller.lookup); err != nil {
		return err
	}
	for _, word := range f.secrets {
		secret, err := f.secret(word)
		if err != nil {
			return err
		}
		r.SecretEnv = append(r.SecretEnv, secret)
	}
	return nil
}

// secret reads one of --secret-env. What is refused is not repeated but for its
// name: it may be the secret.
func (f *envFlags) secret(word string) (api.SecretEnv, error) {
	name, source, given := strings.Cut(word, "=")
	if name == "" || strings.ContainsAny(name, " \t") || !utf8.ValidString(name) {
		return api.SecretEnv{}, fmt.Errorf("--secret-env: %q is no variable's name: write NAME or NAME=file:/path", name)
	}
	if given {
		path, ok := strings.CutPrefix(source, "file:")
		switch {
		case !ok:
			return api.SecretEnv{}, fmt.Errorf("--secret-env %s: a value on a command line can be read by everybody on the machine (ps shows it): "+
				"put it into the environment and write --secret-env %s, or name a file on the server with %s=file:/path", name, name, name)
		case !strings.HasPrefix(path, "/"):
			return api.SecretEnv{}, fmt.Errorf("--secret-env %s: the file is the server's: write its absolute path, as %s=file:/run/secrets/%s", name, name, strings.ToLower(name))
		}
		return api.SecretEnv{Name: name, File: path}, nil
	}
	value, ok := f.caller.lookup(name)
	switch {
	case !ok || value == "": // a job without its password fails later, and worse
		return api.SecretEnv{}, fmt.Errorf("--secret-env %s: the environment of prewarm run has no value for it: export it there, or write %s=file:/path", name, name)
	case !utf8.ValidString(value):
		return api.SecretEnv{}, fmt.Errorf("--secret-env: the value of %s is not UTF-8", name)
	}
	return api.SecretEnv{Name: name, Value: value}, nil
}
