package main

import (
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"

	"github.com/prewarm/prewarm/internal/api"
)

// readGPUs reads one of --gpus: all, a number, or fields with commas between them.
func readGPUs(word string) (api.DeviceRequest, error) {
	request := api.DeviceRequest{Capabilities: [][]string{{"gpu"}}}
	fields, err := csv.NewReader(strings.NewReader(word)).Read()
	if err != nil {
		return request, fmt.Errorf(`--gpus %q: write it as all, 2 or '"device=0,1"'`, word)
	}
	counted := false
	for _, field := range fields {
		key, value, given := strings.Cut(field, "=")
		if !given {
			key, value = "count", field
		}
		counted = counted || key == "count"
		if err := gpuField(&request, key, value); err != nil {
			return request, fmt.Errorf("--gpus %q: %w", word, err)
		}
	}
	if !counted && request.IDs == nil {
		request.Count = 1
	}
	return request, nil
}

func gpuField(r *api.DeviceRequest, key, value string) (err error) {
	switch key {
	case "count":
		if value == "all" {
			r.Count = -1
			return nil
		}
		if r.Count, err = strconv.Atoi(value); err != nil || r.Count < 1 {
			return fmt.Errorf("the count is all or a number, not %q", value)
		}
	case "driver":
		r.Driver = value
	case "device":
		r.IDs = strings.Split(value, ",")
	case "capabilities":
		r.Capabilities = [][]string{append(strings.Split(value, ","), "gpu")}
	case "options":
		options, err := csv.NewReader(strings.NewReader(value)).Read()
		if err != nil {
			return fmt.Errorf("options are name=value with commas between them, not %q", value)
		}
		r.Options, err = pairs("gpus", options, true)
		return err
	default:
		return fmt.Errorf("%q is not among count, driver, device, capabilities and options", key)
	}
	return nil
}
