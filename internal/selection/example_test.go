package selection_test

import (
	"fmt"

	"github.com/prewarm/prewarm/internal/selection"
)

func ExampleSpec_Select() {
	spec, err := selection.New(selection.Options{
		Include: `^main-(\d+)-[0-9a-f]+$`, Extract: "$1", Order: "numeric",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range spec.Select([]string{"main-99-3f4ff3c", "main-100-68fb2d5", "latest"}, nil).Verdicts {
		fmt.Println(v.Tag, v.Reason)
	}
	// Output:
	// main-100-68fb2d5 is the newest
	// main-99-3f4ff3c is older than the newest
	// latest does not match include
}
