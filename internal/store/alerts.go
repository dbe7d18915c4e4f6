package store

import (
	"context"
	"fmt"

	"github.com/iot-smart-meter/smartmeter"
	"zombiezen.com/go/sqlite"
)

// PutAlert keeps a in place of the alert with its id.
func (s *Store) PutAlert(a smartmeter.Alert) error {
	s.mu.Lock()
	s.entries = append(s.entries, entry{Alert: &a})
	s.mu.Unlock()
	s.hurry()
	return nil
}

// Alerts returns the open alerts and then the others, each newest first.
func (s *Store) Alerts(ctx context.Context, limit int) ([]smartmeter.Alert, error) {
	s.catchUp(ctx)
	alerts, err := s.index.alerts(ctx, limit)
	if err != nil {
		return nil, fmt.Errorf("read the alerts: %w", err)
	}
	return alerts, nil
}

func (t indexWriter) putAlerts(c indexChange) error {
	for _, a := range c.alerts {
		if err := t.do(`
			INSERT INTO alert (id, kind, severity, device, text, raised_at, acknowledged_at, acknowledged_by, cleared_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET text = excluded.text, acknowledged_at = excluded.acknowledged_at,
				acknowledged_by = excluded.acknowledged_by, cleared_at = excluded.cleared_at
			WHERE (text, acknowledged_at, acknowledged_by, cleared_at) IS NOT
				(excluded.text, excluded.acknowledged_at, excluded.acknowledged_by, excluded.cleared_at)`,
			a.ID, a.Kind, a.Severity, a.Device, a.Text, a.RaisedAt, a.AcknowledgedAt, a.AcknowledgedBy, a.ClearedAt); err != nil {
			return fmt.Errorf("alert %s: %w", a.ID, err)
		}
	}
	return nil
}

// alerts returns the open alerts and then the others, each newest first.
func (x *index) alerts(ctx context.Context, limit int) ([]smartmeter.Alert, error) {
	return allRows(eachRow(ctx, x, "alerts", `
		SELECT id, kind, severity, device, text, raised_at, acknowledged_at, acknowledged_by, cleared_at FROM alert
		ORDER BY cleared_at = 0 DESC, raised_at DESC, rowid DESC LIMIT ?`, []any{limit},
		func(stmt *sqlite.Stmt) smartmeter.Alert {
			return smartmeter.Alert{
				ID:             stmt.ColumnText(0),
				Kind:           smartmeter.AlertKind(stmt.ColumnText(1)),
				Severity:       smartmeter.Severity(stmt.ColumnText(2)),
				Device:         smartmeter.DeviceID(stmt.ColumnText(3)),
				Text:           stmt.ColumnText(4),
				RaisedAt:       smartmeter.Instant(stmt.ColumnInt64(5)),
				AcknowledgedAt: smartmeter.Instant(stmt.ColumnInt64(6)),
				AcknowledgedBy: stmt.ColumnText(7),
				ClearedAt:      smartmeter.Instant(stmt.ColumnInt64(8)),
			}
		}))
}
