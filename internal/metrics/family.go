package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

const prefix = "prewarm_"

// kind is what Prometheus calls a type.
type kind string

const (
	counter   kind = "counter"
	gauge     kind = "gauge"
	histogram kind = "histogram"
)

// The labels whose values are names of the configuration.
const (
	byImage    = "image"
	byHost     = "host"
	byRegistry = "registry"
	byRoute    = "route"
	byHook     = "hook"
	byNothing  = ""
)

// word is a label whose values are of a fixed set.
type word struct {
	label  string
	values []string
}

// words makes a word of the constants of a type.
func words[T ~string](label string, values ...T) word {
	w := word{label: label}
	for _, v := range values {
		w.values = append(w.values, string(v))
	}
	return w
}

// other stands for what a newer domain tells and this package does not know.
const other = "other"

// of gives a value of the word.
func (w word) of(value string) string {
	if slices.Contains(w.values, value) {
		return value
	}
	return other
}

// family is all series of one name.
type family struct {
	name  string
	kind  kind
	by    string // the label that is a name; byNothing: it has none
	words []word
	help  string

	// desc is what a scrape makes it of; where it is counted as things happen, vec
	// holds it, and touch makes a series.
	desc  *prometheus.Desc
	vec   vec
	touch func(values ...string)
}

// vec is what the vectors of client_golang have in common.
type vec interface {
	prometheus.Collector
	DeletePartialMatch(prometheus.Labels) int
}

func (f *family) labels() []string {
	var all []string
	if f.by != byNothing {
		all = append(all, f.by)
	}
	for _, w := range f.words {
		all = append(all, w.label)
	}
	return all
}

// begin makes all series of a name, so that the first of what happens is a rise,
// which a rule can see.
func (f *family) begin(name string) {
	values := []string{}
	if f.by != byNothing {
		values = append(values, name)
	}
	f.beginWith(values, f.words)
}

func (f *family) beginWith(values []string, rest []word) {
	if len(rest) == 0 {
		f.touch(values...)
		return
	}
	for _, v := range rest[0].values {
		f.beginWith(append(slices.Clip(values), v), rest[1:])
	}
}

// end drops all series of a name.
func (f *family) end(name string) { f.vec.DeletePartialMatch(prometheus.Labels{f.by: name}) }

// builder gathers the families as they are declared.
type builder struct{ families []*family }

func (b *builder) add(k kind, by, name, help string, words []word) *family {
	f := &family{name: prefix + name, kind: k, by: by, words: words, help: help}
	b.families = append(b.families, f)
	return f
}

// counter declares what is counted as it happens.
func (b *builder) counter(by, name, help string, words ...word) *prometheus.CounterVec {
	f := b.add(counter, by, name, help, words)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.name, Help: help}, f.labels())
	f.vec, f.touch = v, func(values ...string) { v.WithLabelValues(values...) }
	return v
}

// histogram declares what is measured as it happens.
func (b *builder) histogram(by, name, help string, buckets []float64, words ...word) *prometheus.HistogramVec {
	f := b.add(histogram, by, name, help, words)
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: f.name, Help: help, Buckets: buckets}, f.labels())
	f.vec, f.touch = v, func(values ...string) { v.WithLabelValues(values...) }
	return v
}

// read declares what a scrape reads.
func (b *builder) read(k kind, by, name, help string, words ...word) *family {
	f := b.add(k, by, name, help, words)
	f.desc = prometheus.NewDesc(f.name, help, f.labels(), nil)
	return f
}
