package collect_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/collect"
	"github.com/vitascope/vitascope/internal/beacon"
)

// ofViews returns the body's batch for each of n views of as many medias.
func (s *station) ofViews(n int) []string {
	all := make([]string, n)
	for i := range all {
		token := s.token(func(c *beacon.Claims) { c.Media, c.View = fmt.Sprintf("media%05d", i), fmt.Sprintf("view-%d", i) })
		all[i] = strings.Replace(s.sample("valid-load-only.json"), s.token(nil), token, 1)
	}
	return all
}

func array(batches ...string) string { return " [" + strings.Join(batches, ",\n") + "]\n" }

func TestABodyMayHaveTheBatchesOfManyViews(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	require.Equal(t, http.StatusNoContent, s.post(array(s.ofViews(20)...), nil).StatusCode)
	records := s.records()
	require.Len(t, records, 20)
	for i, r := range records {
		require.Equal(t, fmt.Sprintf("view-%d media%05d", i, i), r.View+" "+r.Media)
		require.Equal(t, "CH", r.Country)
		require.Equal(t, records[0].Visitor, r.Visitor)
		require.Len(t, r.Events, 1)
	}
	zipped := http.Header{"Content-Encoding": {"gzip"}}
	require.Equal(t, http.StatusNoContent, s.post(gzipped(t, array(s.ofViews(2)...)), zipped).StatusCode)
	require.Len(t, s.records(), 22)
}

func TestEachBatchOfABodyIsTakenOrRefusedByItself(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	good := s.ofViews(2)
	res := s.post(array(good[0], s.sample("invalid-no-events.json"), s.sample("invalid-no-token.json"), good[1]), nil)
	require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode)
	require.Equal(t, "/problems/beacon-events-missing", problemType(t, res))
	taken, refused := s.receipts()
	require.Len(t, taken, 2)
	require.Len(t, refused, 2)
	for name, body := range map[string]string{
		"none": "[]", "one": array(good[0]), "more than there may be": array(s.ofViews(21)...), "no end": "[" + good[0], "deep": array(array(good...), good[0]),
	} {
		require.Equal(t, http.StatusUnprocessableEntity, s.post(body, nil).StatusCode, name)
	}
	after, _ := s.receipts()
	require.Len(t, after, 3, "of a deep one the batch that is one")
}

func TestManyBatchesAtOnceAreWithinTheRates(t *testing.T) {
	t.Parallel()
	cfg := collect.DefaultConfig()
	cfg.AddressPerSecond = 1
	s := openStation(t, cfg, newBroker(t))
	require.NoError(t, s.events.EnsureTopics(t.Context()))
	res := s.post(array(s.ofViews(15)...), nil)
	require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
	require.NotEmpty(t, res.Header.Get("Retry-After"))
	require.Empty(t, s.records())
	require.Equal(t, http.StatusNoContent, s.post(array(s.ofViews(5)...), nil).StatusCode)
}
