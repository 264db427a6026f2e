package warmer

import (
	"context"
	"slices"
)

// LookAt looks at some tags of an image in the registry now, because somebody
// said that they were pushed; at all where none is named. Where a selection does
// not follow one of them yet, its repository's tags are listed and chosen anew
// first. What is not followed then is not looked at.
func (w *Warmer) LookAt(ctx context.Context, image string, tags []string) ([]Checked, error) {
	all, err := w.lookAt(ctx, image, tags)
	w.opts.Measures.Looked(image, LookHinted, err)
	return all, err
}

func (w *Warmer) lookAt(ctx context.Context, image string, tags []string) ([]Checked, error) {
	if len(tags) == 0 {
		return w.check(ctx, image, true)
	}
	e, err := w.entry(image)
	if err != nil {
		return nil, err
	}
	var chosen error
	if !e.Select.IsZero() && len(w.trackedOf(image, tags)) < len(tags) {
		chosen = w.choose(ctx, e)
	}
	return w.checkTracks(ctx, w.trackedOf(image, tags), chosen)
}

// trackedOf gives those tracks of an image that have one of the tags.
func (w *Warmer) trackedOf(image string, tags []string) []Track {
	return slices.DeleteFunc(w.tracked(image), func(t Track) bool { return !slices.Contains(tags, t.ID.Tag) })
}

// Takes tells whether an image would follow a tag: it is the one that it tracks,
// or is as new as those that its selection chose last. One that follows a digest
// takes none.
func (w *Warmer) Takes(image, tag string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.entryOf(image)
	if e == nil || tag == "" {
		return false
	}
	return e.Tag == tag || slices.Contains(e.Select.Select([]string{tag}, e.chosen).Chosen, tag)
}
