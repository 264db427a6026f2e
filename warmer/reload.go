package warmer

import "maps"

// Reconfigure puts a changed setup into force. Hosts of the same name and the
// same Host keep what is known of them and what they are doing; a host that is
// gone, or is reached in another way now, gives up its pulls. Images keep their
// rollouts by name and tag.
func (w *Warmer) Reconfigure(s Setup) {
	w.deciding.Lock()
	defer w.deciding.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.install(s)
	w.forgetTroubles()
	w.announce()
	w.Kick()
}

// install makes the entries and hosts of a setup. The caller holds mu, or is
// New.
func (w *Warmer) install(s Setup) {
	w.setup = s
	before := w.contacts()
	w.installHosts(s.Hosts)
	w.contacted(before)
	for _, e := range w.entries {
		w.shelf[e.Image] = e
	}
	w.entries = nil
	for _, wanted := range s.Entries {
		e := w.shelved(wanted.Image)
		delete(w.shelf, wanted.Image)
		if e.Repository != wanted.Repository {
			e.chosen = nil // the tags of another repository
		}
		if !e.Select.Equal(wanted.Select) {
			e.looks = 0 // the next look lists
		}
		e.Entry = wanted
		e.retag()
		w.entries = append(w.entries, e)
	}
	w.unsettleAll()
}

// shelved gives the entry of an image that is not in force, made where there is
// none: what was known of it holds again once it is back. The caller holds mu.
func (w *Warmer) shelved(image string) *entry {
	e := w.shelf[image]
	if e == nil {
		e = &entry{Entry: Entry{Image: image}}
		w.shelf[image] = e
	}
	return e
}

func (w *Warmer) installHosts(wanted []HostOptions) {
	gone := maps.Clone(w.hosts)
	for _, o := range wanted {
		h := w.hosts[o.Name]
		if h != nil && h.Host == o.Host {
			h.rules++
			h.Pulls, h.Prune, h.Labels = o.Pulls, o.Prune, o.Labels // the rest is the same, and read without the lock
			delete(gone, o.Name)
			continue
		}
		fresh := newHost(o)
		w.hosts[o.Name] = fresh
		if w.life != nil {
			w.startHost(fresh)
		}
	}
	for name, h := range gone {
		if h.leave != nil {
			h.leave()
		}
		if w.hosts[name] == h {
			delete(w.hosts, name)
		}
	}
}
