package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// client asks a hub over HTTP, as scripts do.
type client struct{ address string }

// get reads the answer to a GET below /api/v1 into reply.
func (c client) get(ctx context.Context, path string, reply any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	res, err := c.open(ctx, path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(reply)
}

func (c client) open(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.address+"/api/v1"+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		problem, _ := io.ReadAll(io.LimitReader(res.Body, 512))
		res.Body.Close()
		return nil, fmt.Errorf("GET %s: %s: %s", path, res.Status, problem)
	}
	return res, nil
}

// columns is what the hub says of readings.
type columns struct {
	T      []int64 `json:"t"`
	Energy []int64 `json:"energy_wh"`
}

// readings returns a device's readings since an instant.
func (c client) readings(ctx context.Context, device string, since time.Time, quantity string) (columns, error) {
	query := url.Values{"from": {since.Format(time.RFC3339Nano)}, "quantities": {quantity}}
	var found columns
	err := c.get(ctx, "/devices/"+url.PathEscape(device)+"/readings?"+query.Encode(), &found)
	return found, err
}
