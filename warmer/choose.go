package warmer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/selection"
)

// listEvery is how many scheduled looks at the tags of a selection share one
// listing of the repository: new tags come less often than new digests, and a
// listing of a large repository takes many requests.
const (
	listEvery = 10
	// listAfter is how old a listing may get where looks are far between.
	listAfter = 10 * time.Minute
)

// choose lists the tags of an entry's repository and takes those that its
// selection wants, written down first.
func (w *Warmer) choose(ctx context.Context, e Entry) error {
	tags, err := w.opts.Registry.Tags(ctx, e.Repository)
	w.deciding.Lock()
	defer w.deciding.Unlock()
	w.mu.Lock()
	now := w.entryOf(e.Image)
	if now == nil || now.Repository != e.Repository {
		w.mu.Unlock()
		return w.removed(e.Image)
	}
	now.list = check{at: time.Now(), err: err}
	state, result := now.held, selection.Result{}
	if err == nil {
		result = now.Select.Select(tags, now.chosen)
	}
	same := slices.Equal(result.Chosen, now.chosen)
	w.mu.Unlock()
	if err != nil || same {
		return err
	}
	state.Image, state.Repository, state.Chosen = e.Image, e.Repository.String(), result.Chosen
	if err := w.opts.Store.Save(context.WithoutCancel(ctx), Change{Images: []ImageState{state}}); err != nil {
		return fmt.Errorf("save the tags of %s: %w", e.Image, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now.chosen, now.held = state.Chosen, state
	now.retag()
	w.announce()
	w.Kick()
	w.log.Info("tags chosen", "image", e.Image, "tags", state.Chosen)
	return nil
}

// removed says that a reload took an image away, or gave it another repository,
// under a call.
func (w *Warmer) removed(image string) error {
	return problem.New(problem.ImageNotManaged, fmt.Sprintf("look at %s: the configuration of it has just changed", image), "look again")
}
