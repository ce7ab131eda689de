package uploadcli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Import has the server fetch the file at each address. One that fails does not stop
// the next one; the error holds all failures.
func (c *Client) Import(ctx context.Context, addresses []string) error {
	defer c.http.CloseIdleConnections()
	var errs []error
	for _, address := range addresses {
		if err := c.importFile(ctx, address); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", address, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func (c *Client) importFile(ctx context.Context, address string) error {
	body, err := json.Marshal(map[string]string{"url": address})
	if err != nil {
		return err
	}
	res, err := c.do(ctx, "POST", "/v1/imports", map[string]string{"Content-Type": "application/json"}, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return err
	}
	var made struct {
		MediaID string `json:"media_id"`
	}
	if err := json.Unmarshal(res.body, &made); err != nil || made.MediaID == "" {
		return fmt.Errorf("%s is not a Vitascope server of this release", c.base)
	}
	return c.report(ctx, made.MediaID)
}
