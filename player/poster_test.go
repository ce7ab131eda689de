package player_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/player"
)

func TestThePosterOfAMediaHasAnAddressOfItsOwn(t *testing.T) {
	t.Parallel()
	publish(t, "postopen01", "ready")
	publish(t, "postsign01", "ready")
	publish(t, "postpriv01", "ready")
	publish(t, "postsite01", "ready")
	for id, access := range map[string]blob.Access{
		"postsign01": {Visibility: blob.Signed}, "postpriv01": {Visibility: blob.Private}, "postsite01": {Domains: []string{"shop.example"}},
	} {
		require.NoError(t, store.WriteSettings(t.Context(), blob.Settings{Account: account, Media: id, Access: access}))
	}
	bare := publish(t, "postbare01", "ready")
	bare.Poster = ""
	require.NoError(t, store.WritePointer(t.Context(), bare))
	server := serve(t, store, states{"postsoon01": player.State{Account: account, State: "probing"}})
	for _, test := range []struct {
		name, id, referer string
		status            int
		caching           string
	}{
		{"of an open media", "postopen01", "", http.StatusOK, "public, max-age=60"},
		{"of a signed media", "postsign01", "", http.StatusNoContent, "no-store"},
		{"of a private media, as of an unknown one", "postpriv01", "", http.StatusNotFound, "no-store"},
		{"of an unknown media", "postnone01", "", http.StatusNotFound, "no-store"},
		{"on a site that may show it", "postsite01", "https://shop.example/", http.StatusOK, "private, max-age=60"},
		{"on one that may not", "postsite01", "https://else.example/", http.StatusNoContent, "no-store"},
		{"of a media without one", "postbare01", "", http.StatusNoContent, "no-store"},
		{"of a media that is not there yet", "postsoon01", "", http.StatusNoContent, "no-store"},
	} {
		res := get(t, server.URL+"/embed/medias/"+test.id+"/poster.jpg", "Referer", test.referer)
		require.Equal(t, test.status, res.StatusCode, test.name)
		require.Equal(t, test.caching, res.Header.Get("Cache-Control"), test.name)
		if test.status == http.StatusOK {
			require.Equal(t, "poster", res.body, test.name)
			require.Equal(t, "image/jpeg", res.Header.Get("Content-Type"), test.name)
		}
	}
}

// TestThePosterIsThatOfTheViewersArm asks as many viewers: the picture at the fixed
// address is the one that the config names.
func TestThePosterIsThatOfTheViewersArm(t *testing.T) {
	t.Parallel()
	publish(t, "postarms01", "ready")
	require.NoError(t, store.WriteSettings(t.Context(), blob.Settings{Account: account, Media: "postarms01", Experiment: &blob.Experiment{
		ID: "experiment1", Arms: []blob.Arm{{Key: "a"}, {Key: "b", Poster: "posters/abcdefghij/poster.jpg"}},
	}}))
	server := serve(t, store, nil)
	seen := map[string]int{}
	for i := range 40 {
		agent := fmt.Sprintf("Mozilla/5.0 Chrome/%d", i)
		poster := get(t, server.URL+"/embed/medias/postarms01/poster.jpg", "User-Agent", agent)
		require.Equal(t, "private, max-age=60", poster.Header.Get("Cache-Control"))
		named := config(t, server.URL+"/embed/medias/postarms01/config.json", "User-Agent", agent)["poster_url"].(string)
		require.Equal(t, get(t, named).body, poster.body)
		seen[poster.body]++
	}
	require.Len(t, seen, 2)
	require.Greater(t, min(seen["poster"], seen["uploaded poster"]), 8)
}

// TestAPosterThatIsStillBeingMadeIsNotShownToAnybody asks in the moments after a test has
// begun: everybody has the media's own poster, and nobody is counted.
func TestAPosterThatIsStillBeingMadeIsNotShownToAnybody(t *testing.T) {
	t.Parallel()
	publish(t, "postmade01", "ready")
	require.NoError(t, store.WriteSettings(t.Context(), blob.Settings{Account: account, Media: "postmade01", Experiment: &blob.Experiment{
		ID: "experiment1", Arms: []blob.Arm{{Key: "a", Poster: "posters/notmadeyet/poster.jpg"}, {Key: "b", Poster: "posters/notmadetoo/poster.jpg"}},
	}}))
	server := serve(t, store, nil)
	poster := get(t, server.URL+"/embed/medias/postmade01/poster.jpg")
	require.Equal(t, http.StatusOK, poster.StatusCode)
	require.Equal(t, "poster", poster.body)
	named := config(t, server.URL+"/embed/medias/postmade01/config.json")
	require.Equal(t, "poster", get(t, named["poster_url"].(string)).body)
	claims, err := beacon.VerifyViewToken(viewKey, named["view_token"].(string), time.Now())
	require.NoError(t, err)
	require.Empty(t, claims.Variant)
}
