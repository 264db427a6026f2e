package config

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// MarshalJSON is the effective configuration as JSON: the same keys as the YAML
// of Redacted, and nothing of a secret but "***".
func (c *Config) MarshalJSON() ([]byte, error) {
	text, err := c.Redacted()
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("read configuration back from YAML: %w", err)
	}
	return json.Marshal(doc)
}
