package api

import (
	"context"
	"time"

	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

type storage struct {
	LogBytes      int64   `json:"log_bytes" doc:"readings of days that are not sealed, and what the log sets aside for more"`
	ChunkBytes    int64   `json:"chunk_bytes" doc:"sealed days"`
	DatabaseBytes int64   `json:"database_bytes" doc:"the index, which can be made again"`
	FreeBytes     int64   `json:"free_bytes"`
	BytesPerDay   int64   `json:"bytes_per_day" doc:"growth by the days sealed in the last 30; 0 while there are none"`
	FullOn        *string `json:"full_on" format:"date" doc:"the day on which the disk is full at this rate, UTC; null if that is not known, or more than 50 years away"`
	KeepRawDays   *int    `json:"keep_raw_days" doc:"for how many days readings are kept at least, before only their sums by quarter hour are; null is for ever"`
	OldestRaw     *string `json:"oldest_raw" format:"date" doc:"the first day with readings, UTC; null if there are none"`
}

func (a *api) getStorage(ctx context.Context, _ *struct{}) (*body[storage], error) {
	s, err := a.hub.Storage(ctx)
	if err != nil {
		return nil, a.fail(err)
	}
	return &body[storage]{shapeStorage(s)}, nil
}

func shapeStorage(s hub.Storage) storage {
	out := storage{
		LogBytes: s.Log, ChunkBytes: s.Chunks, DatabaseBytes: s.Database,
		FreeBytes: s.Free, BytesPerDay: s.PerDay,
		FullOn: dateOf(s.FullOn), OldestRaw: dateOf(s.OldestRaw),
	}
	if days := int(s.KeepRaw / (24 * time.Hour)); days > 0 {
		out.KeepRawDays = &days
	}
	return out
}

// dateOf returns t's day in UTC, nil if t is zero.
func dateOf(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	date := t.UTC().Format(time.DateOnly)
	return &date
}
