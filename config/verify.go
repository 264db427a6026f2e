package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/template"
	templates "text/template/parse"
	"time"
)

// Verify is a program that must agree before a digest is promoted; without a
// Command nothing is asked.
type Verify struct {
	Command []string // the program and its arguments, each a template over Subject
	Timeout time.Duration
}

// Subject is what the templates of a Verify know.
type Subject struct {
	Pin        string // registry.example.com/etl/node-jobs@sha256:…
	Repository string
	Digest     string
	Tag        string // empty where a digest is tracked
	Image      string // the entry's name
}

// defaultVerifyTimeout: cosign asks a registry and a log, which takes seconds.
const defaultVerifyTimeout = time.Minute

// Expand gives the command with its templates filled in.
func (v Verify) Expand(s Subject) ([]string, error) {
	var args []string
	for _, text := range v.Command {
		arg, err := expand(text, s)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	return args, nil
}

func expand(text string, s Subject) (string, error) {
	t, err := template.New("verify").Option("missingkey=error").Parse(text)
	if err != nil {
		return "", fmt.Errorf("read template %q: %w", text, err)
	}
	var b strings.Builder
	if err := t.Execute(&b, s); err != nil {
		return "", fmt.Errorf("fill in template %q: %w", text, err)
	}
	return b.String(), nil
}

const mendTemplate = "write {{.Pin}}, {{.Repository}}, {{.Digest}}, {{.Tag}} or {{.Image}}, and nothing else within braces"

func (r *reader) verify(field string, doc verifyDoc) Verify {
	command := field + ".command"
	switch {
	case r.spoiledWithin(field):
		return Verify{}
	case !r.has(command):
		if r.has(field + ".timeout") {
			r.add(field, "", "a timeout without a command", "add command, or leave verify out")
		}
		return Verify{}
	case len(doc.Command) == 0:
		r.add(command, "", "it is empty", "write the program and its arguments as a list, or leave verify out")
		return Verify{}
	}
	for i, text := range doc.Command {
		r.checkTemplate(fmt.Sprintf("%s[%d]", command, i), text)
	}
	if program := doc.Command[0]; program == "" || strings.ContainsRune(program, '/') && !filepath.IsAbs(program) {
		r.add(command+"[0]", program, "it names no program", "write a name that is looked up in PATH, or an absolute path")
	}
	return Verify{Command: doc.Command, Timeout: r.duration(field+".timeout", doc.Timeout, defaultVerifyTimeout, time.Second)}
}

// checkTemplate takes names in braces and no more: a template language could
// loop for ever, and a verification needs none.
func (r *reader) checkTemplate(field, text string) {
	if strings.ContainsRune(text, 0) {
		r.add(field, text, "an argument can't hold a NUL character", "leave it out")
		return
	}
	t, err := template.New("verify").Parse(text)
	switch {
	case err != nil:
		r.add(field, text, "it is no template", mendTemplate)
	case t.Tree != nil && !plain(t.Root):
		r.add(field, text, "its braces hold more than a name", mendTemplate)
	default:
		var unknown template.ExecError
		if _, err := expand(text, Subject{}); errors.As(err, &unknown) {
			r.add(field, text, "it names what is not known of an image", mendTemplate)
		}
	}
}

// plain tells whether a template is text and names in braces.
func plain(list *templates.ListNode) bool {
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *templates.TextNode:
		case *templates.ActionNode:
			if len(node.Pipe.Decl) > 0 || len(node.Pipe.Cmds) != 1 || len(node.Pipe.Cmds[0].Args) != 1 || node.Pipe.Cmds[0].Args[0].Type() != templates.NodeField {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func (v Verify) document() verifyDoc {
	if len(v.Command) == 0 {
		return verifyDoc{}
	}
	return verifyDoc{Command: v.Command, Timeout: durationText(v.Timeout)}
}
