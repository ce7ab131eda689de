package uploadcli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
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
	res, err := c.postOnce(ctx, "/v1/imports", body)
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

// postOnce has the server do something once, however often it must be asked: a request
// whose answer was cut off is repeated with the same key, for as long as
// Options.Patience.
func (c *Client) postOnce(ctx context.Context, path string, body []byte) (reply, error) {
	header := map[string]string{"Content-Type": "application/json", "Idempotency-Key": rand.Text()}
	pause, began := c.o.Pause, time.Now()
	for reached := false; ; {
		res, err := c.do(ctx, http.MethodPost, path, header, bytes.NewReader(body), int64(len(body)))
		reached = reached || errors.Is(err, errTryAgain)
		again := errors.Is(err, errTryAgain) || reached && errors.Is(err, errAway) // one that never was there is a mistyped address
		if err == nil || !again || time.Since(began) > c.o.Patience {
			return res, err
		}
		if err := wait(ctx, pause); err != nil {
			return reply{}, err
		}
		pause = min(2*pause, 10*time.Second)
	}
}
