package config

import (
	"errors"
	"fmt"

	"github.com/prewarm/prewarm/internal/schedule"
)

// windows gives none where it refuses one.
func (r *reader) windows(field string, docs []windowDoc) schedule.Windows {
	var list schedule.Windows
	for i, doc := range docs {
		entry := fmt.Sprintf("%s[%d]", field, i)
		if r.spoiledWithin(entry) {
			continue
		}
		window, err := schedule.ParseWindow(schedule.WindowOptions(doc))
		var refused *schedule.WindowError
		if errors.As(err, &refused) {
			r.add(join(entry, refused.Field), refused.Value, refused.Why, refused.Mend)
			continue
		}
		list = append(list, window)
	}
	return list
}

func windowDocs(windows schedule.Windows) []windowDoc {
	var docs []windowDoc
	for _, w := range windows {
		docs = append(docs, windowDoc(w.Options()))
	}
	return docs
}
