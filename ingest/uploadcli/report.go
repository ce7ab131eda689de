package uploadcli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// media is what the command line needs of the API's answer.
type media struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	State   string  `json:"state"`
	Share   float64 `json:"progress"`
	Failure *struct {
		Reason    string `json:"reason"`
		Retryable bool   `json:"retryable"`
	} `json:"failure"`
	Width        int    `json:"width"`
	WatchURL     string `json:"watch_url"`
	EmbedCode    string `json:"embed_code"`
	AnalyticsURL string `json:"analytics_url"`
}

// report prints where the media is found and, if asked to, waits for it.
func (c *Client) report(ctx context.Context, id string) error {
	m, err := c.settled(ctx, id)
	if err != nil {
		return fmt.Errorf("uploaded as media %s, but: %w", id, err)
	}
	if m.shapeless() {
		fmt.Fprintln(c.o.Status, "The video's shape is not known yet; copy the embed code from its page later, or give the code an aspect.")
	}
	fmt.Fprintf(c.o.Out, "%s\n  media      %s\n  watch      %s\n  embed      %s\n  analytics  %s\n", m.Name, m.ID, m.WatchURL, m.EmbedCode, m.AnalyticsURL)
	if c.o.Wait == "" {
		return nil
	}
	return c.await(ctx, m)
}

// shapeless tells whether the media's proportions may still become known.
func (m media) shapeless() bool {
	return m.Width == 0 && (m.State == "uploading" || m.State == "probing")
}

// settled returns the media once its shape is known, which takes a moment, or as it
// is after Options.Settle.
func (c *Client) settled(ctx context.Context, id string) (media, error) {
	for until := time.Now().Add(c.o.Settle); ; {
		m, err := c.media(ctx, id)
		if err != nil || !m.shapeless() || !time.Now().Before(until) {
			return m, err
		}
		if err := wait(ctx, min(c.o.Pause, 250*time.Millisecond)); err != nil {
			return m, nil //nolint:nilerr // it is uploaded: an interruption takes nothing back
		}
	}
}

// await follows the media's state until it is what Options.Wait asks for.
func (c *Client) await(ctx context.Context, m media) error {
	shown, last := "", time.Now()
	for {
		if m.State != shown {
			shown = m.State
			fmt.Fprintf(c.o.Out, "  state      %s\n", shown)
		}
		switch {
		case m.State == "failed" && m.Failure != nil:
			return fmt.Errorf("%w: %s", ErrMediaFailed, m.Failure.Reason)
		case m.State == "failed":
			return ErrMediaFailed
		case m.State == WaitReady, m.State == c.o.Wait:
			return nil
		}
		if err := wait(ctx, c.o.Pause); err != nil {
			return err
		}
		next, err := c.media(ctx, m.ID)
		switch {
		case err == nil:
			m, last = next, time.Now()
		case !errors.Is(err, errTryAgain) && !errors.Is(err, errAway) || time.Since(last) > c.o.Patience:
			return err
		}
	}
}

func (c *Client) media(ctx context.Context, id string) (media, error) {
	res, err := c.do(ctx, "GET", "/v1/media/"+id, nil, nil, 0)
	if errors.Is(err, errGone) {
		return media{}, errors.New("the media was deleted")
	}
	if err != nil {
		return media{}, err
	}
	var m media
	if err := json.Unmarshal(res.body, &m); err != nil {
		return media{}, fmt.Errorf("%s is not a Vitascope server: its answer is not JSON", c.base)
	}
	return m, nil
}
