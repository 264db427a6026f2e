package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// interview asks a person.
type interview struct {
	in  *bufio.Reader
	out io.Writer
}

// ask asks until take has the answer that it can take. Nothing is the standard
// answer, where there is one.
func (a *interview) ask(question, standard string, take func(answer string) error) error {
	for {
		fmt.Fprint(a.out, question)
		if standard != "" {
			fmt.Fprintf(a.out, " [%s]", standard)
		}
		fmt.Fprint(a.out, ": ")
		line, err := a.in.ReadString('\n')
		answer := strings.TrimSpace(line)
		if err != nil && answer == "" {
			fmt.Fprintln(a.out)
			if errors.Is(err, io.EOF) {
				return problem.New(problem.InvalidRequest, "the answers ended before the questions did, so nothing is written", "answer them, or give flags: prewarm init --help")
			}
			return fmt.Errorf("read an answer: %w", err)
		}
		if answer == "" {
			answer = standard
		}
		if answer == "" {
			fmt.Fprintln(a.out, "prewarm: that has no standard answer; type one, or end with Ctrl-C: nothing is written yet")
			continue
		}
		refusal := take(answer)
		if refusal == nil {
			return nil
		}
		printError(a.out, refusal)
	}
}
