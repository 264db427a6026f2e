package config

import "testing"

func TestParseRate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{
		"10/s": 10, "0.5/s": 0.5, ".5/s": 0.5, "30/m": 0.5, "100/m": 100.0 / 60, "5000/h": 5000.0 / 3600, "0/s": 0,
	} {
		if got, ok := parseRate(text); !ok || got != want {
			t.Errorf("parseRate(%q) = %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "10", "/s", "10/", "10/d", "10/ s", "-1/s", "+1/s", "1e3/s", "0x1p4/s", "1_0/s", "Inf/s", "NaN/s", "1.2.3/s", "1/s/s", "."} {
		if got, ok := parseRate(text); ok {
			t.Errorf("parseRate(%q) = %v, want a refusal", text, got)
		}
	}
}

func TestRateText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10/s": "10/s", "0.5/s": "0.5/s", "30/m": "0.5/s", "100/m": "100/m", "5000/h": "5000/h", "7/h": "7/h", "0.25/s": "15/m", "2.5/h": "2.5/h",
	} {
		rate, _ := parseRate(text)
		if got := rateText(rate); got != want {
			t.Errorf("%s is written %s, want %s", text, got, want)
		}
	}
	// Whatever is written is read as the same rate.
	for _, text := range []string{"0.123456789/s", "3.14159/m", "0.07/h", "9999.99/s"} {
		rate, _ := parseRate(text)
		if again, ok := parseRate(rateText(rate)); !ok || again != rate {
			t.Errorf("%s is written %s and read as %v, want %v", text, rateText(rate), again, rate)
		}
	}
	if got := rateText(0); got != "" {
		t.Errorf("no rate is written %q", got)
	}
}
