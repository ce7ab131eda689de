package player_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/player"
)

func configs(t *testing.T, base string, ids []string, headers ...string) []map[string]any {
	t.Helper()
	c := config(t, base+"/embed/medias.json?ids="+strings.Join(ids, ","), headers...)
	raw, err := json.Marshal(c["configs"])
	require.NoError(t, err)
	var all []map[string]any
	require.NoError(t, json.Unmarshal(raw, &all))
	require.Len(t, all, len(ids))
	return all
}

func TestConfigsOfManyMediasStartAViewOfEachThatMayBeHad(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"manyopen01", "manysign01", "manypriv01", "manysite01", "manypass01"} {
		publish(t, id, "ready")
	}
	hash, err := argon2id.CreateHash("open sesame", &argon2id.Params{Memory: 8 << 10, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	require.NoError(t, err)
	for id, access := range map[string]blob.Access{
		"manysign01": {Visibility: blob.Signed}, "manypriv01": {Visibility: blob.Private}, "manysite01": {Domains: []string{"shop.example"}}, "manypass01": {PasswordHash: hash},
	} {
		require.NoError(t, store.WriteSettings(t.Context(), blob.Settings{Account: account, Media: id, Access: access}))
	}
	server := serve(t, store, states{"manysoon01": player.State{Account: account, State: "probing"}})
	ids := []string{"manyopen01", "manysign01", "manysite01", "manyopen01", "manypriv01", "manypass01", "manynone01", "no", "", "manysoon01"}
	for origin, site := range map[string]bool{"https://shop.example": true, "https://else.example": false} {
		all := configs(t, server.URL, ids, "Origin", origin)
		for i, told := range map[int]bool{0: true, 2: site, 3: true, 9: true} {
			require.Equal(t, told, all[i] != nil, "%s from %s", ids[i], origin)
			if told {
				require.Equal(t, ids[i], all[i]["media_id"])
			}
		}
		for _, i := range []int{1, 4, 5, 6, 7, 8} {
			require.Nil(t, all[i], "%s from %s", ids[i], origin)
		}
		require.NotEmpty(t, all[0]["view_token"])
		require.NotEqual(t, all[0]["view_id"], all[3]["view_id"], "each has a view of its own")
		require.Empty(t, all[9]["view_token"])
		if site {
			require.Contains(t, all[2]["hls_url"], "/~", "what is protected has a path token here too")
		}
		alone := config(t, server.URL+"/embed/medias/manyopen01/config.json")
		for _, c := range []map[string]any{alone, all[0]} {
			delete(c, "view_id")
			delete(c, "view_token")
		}
		require.Equal(t, alone, all[0], "it says what is said of one alone")
	}
	require.Equal(t, http.StatusUnprocessableEntity, get(t, server.URL+"/embed/medias.json?ids="+strings.Repeat("manyopen01,", 20)).StatusCode)
	require.Equal(t, []map[string]any{nil}, configs(t, server.URL, []string{""}))
}

func TestConfigsOfManyMediasShowTheViewersArms(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range 8 {
		id := fmt.Sprintf("manyarms%02d", i)
		publish(t, id, "ready")
		ids = append(ids, id)
		require.NoError(t, store.WriteSettings(t.Context(), blob.Settings{Account: account, Media: id, Experiment: &blob.Experiment{
			ID: "experiment" + id, Arms: []blob.Arm{{Key: "a"}, {Key: "b", Poster: "posters/abcdefghij/poster.jpg"}},
		}}))
	}
	server := serve(t, store, nil)
	seen := map[bool]int{}
	for i := range 8 {
		agent := fmt.Sprintf("Mozilla/5.0 Chrome/%d", i)
		for at, c := range configs(t, server.URL, ids, "User-Agent", agent) {
			poster, _ := c["poster_url"].(string)
			require.Equal(t, config(t, server.URL+"/embed/medias/"+ids[at]+"/config.json", "User-Agent", agent)["poster_url"], poster)
			seen[strings.Contains(poster, "abcdefghij")]++
		}
	}
	require.Greater(t, min(seen[true], seen[false]), 12)
}
