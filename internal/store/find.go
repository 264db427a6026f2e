package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prewarm/prewarm/runner"
)

// runs reads those that a condition chooses.
func (s *Store) runs(ctx context.Context, rest string, args ...any) ([]runner.Run, error) {
	return query(ctx, s.db, scanRun, `SELECT `+runColumns+` FROM runs `+rest, args...)
}

// What the searches ask for. An index that leaves rows out is used only where
// the search leaves them out in so many words.
const (
	ofKey      = `WHERE namespace = $1 AND run_key = $2 AND run_key <> '' ORDER BY id DESC`
	unfinished = `WHERE ended = 0 OR owed = 1 ORDER BY id`
	longEnded  = `WHERE ended = 1 AND owed = 0 AND ended_at < $1
		AND NOT EXISTS (SELECT 1 FROM runs AS answered WHERE answered.same_as = runs.id AND answered.same_as <> '')
		ORDER BY ended_at, id LIMIT $2`
)

// ByKey gives all runs of a key, newest first.
func (s *Store) ByKey(ctx context.Context, namespace, key string) ([]runner.Run, error) {
	return s.runs(ctx, ofKey, namespace, key)
}

// UnfinishedRuns gives the runs without an outcome, and those to which a stop
// is owed, oldest first.
func (s *Store) UnfinishedRuns(ctx context.Context) ([]runner.Run, error) {
	return s.runs(ctx, unfinished)
}

// EndedBefore gives runs that ended before t and are neither owed a stop nor
// the answer of another run that is still there, oldest first, at most limit.
func (s *Store) EndedBefore(ctx context.Context, t time.Time, limit int) ([]runner.Run, error) {
	return s.runs(ctx, longEnded, micros(t), limit)
}

// Runs gives the newest runs first.
func (s *Store) Runs(ctx context.Context, f runner.Filter) ([]runner.Run, error) {
	rest, args := chosen(f)
	return s.runs(ctx, rest, args...)
}

// chosen turns a filter into a condition with its parameters.
func chosen(f runner.Filter) (rest string, args []any) {
	var c conditions
	c.addIf(f.Before, "id < $%d")
	c.addIf(f.Image, "image = $%d")
	c.addIf(f.Host, "host <> '' AND host = $%d")
	c.addIf(f.Key, "run_key <> '' AND run_key = $%d")
	c.addIf(f.Scope, "scope <> '' AND scope = $%d")
	c.addIf(f.Namespace, "namespace = $%d")
	if f.Active {
		c.texts = append(c.texts, "ended = 0")
	}
	if len(f.States) > 0 {
		c.addStates(f.States)
	}
	limit := ""
	if f.Limit > 0 {
		c.args = append(c.args, f.Limit)
		limit = fmt.Sprintf(" LIMIT $%d", len(c.args))
	}
	// The ids are chosen first: where they have to be sorted, whole runs are not.
	return `WHERE id IN (SELECT id FROM runs ` + c.where() + `ORDER BY id DESC` + limit + `) ORDER BY id DESC`, c.args
}

// conditions are those of a search; all of them have to hold.
type conditions struct {
	texts []string
	args  []any
}

// addIf adds a condition on a word, where there is one. Its text holds a %d for
// the number of the parameter.
func (c *conditions) addIf(word, text string) {
	if word == "" {
		return
	}
	c.args = append(c.args, word)
	c.texts = append(c.texts, fmt.Sprintf(text, len(c.args)))
}

func (c *conditions) addStates(states []runner.State) {
	numbers := make([]string, len(states))
	for i, state := range states {
		c.args = append(c.args, string(state))
		numbers[i] = fmt.Sprintf("$%d", len(c.args))
	}
	c.texts = append(c.texts, "state IN ("+strings.Join(numbers, ", ")+")")
}

func (c *conditions) where() string {
	if len(c.texts) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(c.texts, " AND ") + " "
}
