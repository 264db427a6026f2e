package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/prewarm/prewarm/internal/problem"
)

// misused is the error of a command line that can't be understood.
func misused(cmd *cobra.Command, message string) error {
	return &codeError{code: exitUsage, usage: true, err: problem.New(problem.InvalidRequest, message, "see "+cmd.CommandPath()+" --help")}
}

// group makes a command that only holds verbs: alone it prints its help, and a
// word that is none of them gets the nearest one.
func group(cmd *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(verbs...)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := meant(args[0], verbNames(cmd))
		if instead, ok := dockerVerbs[args[0]]; ok && !cmd.HasParent() {
			hint = "; " + instead
		}
		return misused(cmd, fmt.Sprintf("%s has no verb %q%s", cmd.CommandPath(), args[0], hint))
	}
	return cmd
}

func verbNames(cmd *cobra.Command) []string {
	var names []string
	for _, verb := range cmd.Commands() {
		names = append(names, verb.Name())
	}
	return names
}

// typos is how many letters a word may be off and still be taken for another:
// two, for two letters that changed places count as two.
const typos = 2

// meant suggests what a word may have been meant to be, or nothing.
func meant(word string, candidates []string) string {
	near := problem.Nearest(word, candidates, typos)
	for _, c := range candidates {
		if strings.HasPrefix(c, word) {
			near = append(near, c)
		}
	}
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + near[0] + "?"
}

// wanted is what a flag of a type takes, where its own error is that of a parser
// of Go's.
var wanted = map[string]string{
	"bool":     "true or false",
	"duration": "a length of time in h, m and s, as in 90s, 10m or 1h30m",
	"float64":  "a number",
	"int":      "a whole number",
	"int64":    "a whole number",
}

// flagError tells a flag that isn't there, or has a value that it can't have.
func flagError(cmd *cobra.Command, err error) error {
	message := err.Error()
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		if want, ok := wanted[invalid.GetFlag().Value.Type()]; ok {
			message = fmt.Sprintf("--%s %q: want %s", invalid.GetFlag().Name, invalid.GetValue(), want)
		}
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return misused(cmd, message)
	}
	name := unknown.GetSpecifiedName()
	if why, ok := dockerFlags[name]; ok && cmd.Name() == verbRun {
		return misused(cmd, message+"; "+why)
	}
	if len(name) > 1 {
		message += meant("--"+name, flagNames(cmd))
	}
	return misused(cmd, message)
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return names
}

// noArgs wants no argument.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return misused(cmd, fmt.Sprintf("%s takes no argument, and got %q", cmd.CommandPath(), args[0]))
}

// oneImage wants one argument, the image.
func oneImage(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 1:
		return nil
	case 0:
		return misused(cmd, "name the image: "+cmd.CommandPath()+" IMAGE")
	default:
		return misused(cmd, fmt.Sprintf("%s takes one image, and got %q too", cmd.CommandPath(), args[1]))
	}
}

// imageAnd wants the image, then from least to most other arguments.
func imageAnd(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch n := len(args); {
		case n == 0:
			return misused(cmd, "name the image: "+cmd.UseLine())
		case n < 1+least:
			return misused(cmd, fmt.Sprintf("%s takes more than the image: %s", cmd.CommandPath(), cmd.UseLine()))
		case n > 1+most:
			return misused(cmd, fmt.Sprintf("%s takes no more than %s, and got %q too", cmd.CommandPath(), count(1+most, "argument"), args[1+most]))
		}
		return nil
	}
}

// remote makes a verb that asks the server, and wants to know where it is.
func (c *cli) remote(cmd *cobra.Command) *cobra.Command {
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := c.connect(); err != nil {
			return misused(cmd, err.Error())
		}
		return nil
	}
	return cmd
}
