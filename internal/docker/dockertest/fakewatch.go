package dockertest

import "context"

// Watch calls lost at each removal, and ends when the engine is cut off,
// restarted or wiped.
func (f *Fake) Watch(ctx context.Context, lost func()) error {
	const what = "watch"
	f.mu.Lock()
	told, cuts := f.losses, f.cuts
	f.mu.Unlock()
	for {
		err := f.until(ctx, what, func() (bool, error) {
			if err := f.reach(ctx, what); err != nil {
				return false, err
			}
			if f.cuts != cuts {
				return false, f.unreachable(what)
			}
			news := f.losses > told
			told = f.losses
			return news, nil
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		lost()
	}
}

// MuteEvents lets removals pass untold, as events get lost in a real engine, or
// tells them again.
func (f *Fake) MuteEvents(mute bool) { f.change(func() { f.silent = mute }) }

// lose does what takes something away, and tells of it.
func (f *Fake) lose(do func()) {
	f.change(func() {
		do()
		if !f.silent {
			f.losses++
		}
	})
}
