package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

const referencePath = "../../docs/cli.md"

// The reference in the docs is made from the commands themselves: go test -run
// TestReference -update rewrites it.
func TestReference(t *testing.T) {
	t.Setenv("PREWARM_URL", "") // it would show as the flag's default
	got := reference(newRoot())
	if *update {
		if err := os.WriteFile(referencePath, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/cli.md is not what the commands say; make generate mends it (-want +got):\n%s", diff)
	}
}

const referenceHead = `# Command line

<!-- Made from the commands by make generate; not to be edited. -->

%s

| exit code | of | means |
|---|---|---|
| 0 | every verb | it did what it was asked |
| 1 | all but run and wait | what was asked for could not be done; the reason is on stderr |
| 1 | run | also: the program succeeded, and the result that was asked for can't be had |
| 2 | all but run and wait | the command line can't be understood |
| the container's | run, wait | the task ended with it |
| 125 | run, wait | nothing was executed: safe to try again |
| 124 | run, wait | the run's deadline passed |
| 123 | run, wait | it may have run, and its outcome is not known: interrupted, lost, or the server was out of reach |
| 129 | run | the program that started it is gone; the run goes on |
| 130, 143 | run | SIGINT, SIGTERM: the run was canceled |
| 141 | run | whoever read the output went away: the run was canceled |

What goes wrong is told on stderr in lines that begin with ` + "`prewarm: `" + `: what was tried and why it failed, then what to do about it.
` + "`prewarm completion bash`" + ` (zsh, fish, powershell) prints a completion script; its ` + "`--help`" + ` says how to load it.

`

func reference(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, referenceHead, strings.SplitN(root.Long, "\n\n", 2)[0])
	section(&b, "Flags of every verb", root.PersistentFlags().FlagUsages())
	for _, verb := range verbs(root) {
		fmt.Fprintf(&b, "## %s\n\n%s.\n\n", verb.CommandPath(), verb.Short)
		if verb.Long != "" {
			fmt.Fprintf(&b, "%s\n\n", verb.Long)
		}
		section(&b, "", verb.UseLine())
		section(&b, "", verb.LocalNonPersistentFlags().FlagUsages())
		section(&b, "For example:", strings.ReplaceAll("\n"+verb.Example, "\n  ", "\n")[1:])
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// section writes text as it is, under a title.
func section(b *strings.Builder, title, text string) {
	if text == "" {
		return
	}
	if title != "" {
		fmt.Fprintf(b, "%s\n\n", title)
	}
	fmt.Fprintf(b, "```text\n%s\n```\n\n", strings.TrimRight(text, "\n"))
}

// verbs are the commands that do something, in the order of their names.
func verbs(cmd *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, sub := range cmd.Commands() {
		if sub.HasSubCommands() {
			all = append(all, verbs(sub)...)
		} else {
			all = append(all, sub)
		}
	}
	return all
}

// Every verb can be learned from its help: it says what it does, shows how, and
// its examples are command lines that it takes.
func TestVerbsExplainThemselves(t *testing.T) {
	t.Parallel()
	for _, verb := range verbs(newRoot()) {
		t.Run(verb.CommandPath(), func(t *testing.T) {
			t.Parallel()
			if verb.Short == "" || strings.HasSuffix(verb.Short, ".") {
				t.Errorf("short help %q: want words without a full stop", verb.Short)
			}
			for _, line := range strings.Split(verb.Long, "\n") {
				if len(line) > 100 {
					t.Errorf("help is wider than 100 characters: %s", line)
				}
			}
			if verb.Example == "" {
				t.Fatal("no example")
			}
			for _, line := range strings.Split(verb.Example, "\n") {
				example(t, line)
			}
		})
	}
}

// example parses an example's flags and arguments with the verb it names.
func example(t *testing.T, line string) {
	t.Helper()
	words, ok := strings.CutPrefix(line, "  prewarm ")
	if !ok {
		t.Fatalf("%q does not begin with two blanks and prewarm", line)
	}
	words, _, _ = strings.Cut(words, " |")
	verb, args, err := newRoot().Find(strings.Fields(words))
	if err != nil {
		t.Fatal(err)
	}
	if err := verb.ParseFlags(args); err != nil {
		t.Errorf("%s: %v", line, err)
	}
	if err := verb.ValidateArgs(verb.Flags().Args()); err != nil {
		t.Errorf("%s: %v", line, err)
	}
}

// What the pages say to type is what there is: verbs, flags, arguments.
func TestPagesTypeWhatThereIs(t *testing.T) {
	t.Parallel()
	for page, least := range map[string]int{"runbooks.md": 30, "registries.md": 0, "install/README.md": 0, "errors.md": 0} {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(text)) {
			if words, ok := strings.CutPrefix(line, "prewarm "); ok {
				n++
				words, _, _ = strings.Cut(words, " #")
				example(t, "  prewarm "+strings.TrimSpace(words))
			}
			for _, span := range codeSpans.FindAllStringSubmatch(line, -1) {
				namesVerb(t, page, span[1])
			}
		}
		if n < least {
			t.Errorf("%s: %d commands were found", page, n)
		}
	}
}

var codeSpans = regexp.MustCompile("`prewarm ([^`]+)`")

// namesVerb wants a verb that a page names, and its flags.
func namesVerb(t *testing.T, page, words string) {
	t.Helper()
	verb, args, err := newRoot().Find(strings.Fields(words))
	if err != nil {
		t.Errorf("%s: prewarm %s: %v", page, words, err)
		return
	}
	if err := verb.ParseFlags(args); err != nil {
		t.Errorf("%s: prewarm %s: %v", page, words, err)
	}
}
