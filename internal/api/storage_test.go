package api_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// measured is the disk of the hubs here: full in a thousand years.
func measured(context.Context) (hub.Storage, error) {
	return hub.Storage{
		Log: 1, Chunks: 2, Database: 3, Free: 365_000 << 20, PerDay: 1 << 20,
		OldestRaw: time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC),
	}, nil
}

func TestStorage(t *testing.T) {
	l := newLab(t)
	status, got := l.call("GET", "/api/v1/storage", "")
	want := map[string]any{
		"log_bytes": 1.0, "chunk_bytes": 2.0, "database_bytes": 3.0, "free_bytes": float64(365_000 << 20), "bytes_per_day": float64(1 << 20),
		"full_on": nil, "keep_raw_days": 730.0, "oldest_raw": "2026-11-01",
	}
	if d := cmp.Diff(want, got); status != 200 || d != "" {
		t.Errorf("%d (-want +got):\n%s", status, d)
	}
}
