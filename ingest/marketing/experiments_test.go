package marketing_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest/marketing"
	"github.com/vitascope/vitascope/internal/catalog"
)

func (d *desk) begin(t *testing.T, body string, want int) marketing.Experiment {
	t.Helper()
	var e marketing.Experiment
	require.Equal(t, want, d.call(t, d.Ann.Token, "POST", "/v1/experiments", body, &e), body)
	return e
}

func TestAnExperimentReachesTheObjectThatOriginsReadAndEnds(t *testing.T) {
	t.Parallel()
	d := start(t)
	id, _ := d.gated(t)
	e := d.begin(t, `{"media_id":"`+id+`","name":"Words","kind":"cta","goal":"conversions","planned_visitors":500,
		"variations":[{"name":"Try","action":{"id":"offer","type":"cta","at":"end","text":"Try","skippable":true}}]}`, 201)
	require.Equal(t, []string{"a", "b"}, []string{e.Arms[0].Key, e.Arms[1].Key})
	doc, err := d.Blobs.ReadSettings(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, e.ID, doc.Experiment.ID)
	require.Empty(t, doc.Experiment.Arms[0].Player, "as it is")
	texts := func(raw json.RawMessage) (out []string) {
		var player struct{ Actions []struct{ ID, Text string } }
		require.NoError(t, json.Unmarshal(raw, &player))
		for _, a := range player.Actions {
			out = append(out, a.ID+" "+a.Text)
		}
		return out
	}
	require.Equal(t, []string{"gate Who are you?", "offer Try"}, texts(doc.Experiment.Arms[1].Player))
	d.begin(t, `{"media_id":"`+id+`","name":"Another","kind":"cta","goal":"plays","planned_visitors":500,
		"variations":[{"action":{"id":"offer","type":"cta","at":"end","text":"Try","skippable":true}}]}`, 409)

	ending := "/v1/experiments/" + e.ID + "/endings"
	require.Equal(t, 422, d.call(t, d.Ann.Token, "POST", ending, `{"winner":"x"}`, nil))
	require.Equal(t, 404, d.call(t, d.Eve.Token, "POST", ending, `{"winner":"b"}`, nil))
	require.Equal(t, 200, d.call(t, d.Ann.Token, "POST", ending, `{"winner":"b"}`, &e))
	require.Equal(t, "ended", e.State)
	require.Equal(t, 409, d.call(t, d.Ann.Token, "POST", ending, `{}`, nil))
	doc, err = d.Blobs.ReadSettings(t.Context(), id)
	require.NoError(t, err)
	require.Nil(t, doc.Experiment)
	require.Equal(t, []string{"gate Who are you?", "offer Try"}, texts(doc.Player), "the winner is what the media has now")
}

func TestAnotherVideoStaysWhenItWins(t *testing.T) {
	t.Parallel()
	d := start(t)
	id, other := d.media(t), d.media(t)
	e := d.begin(t, `{"media_id":"`+id+`","name":"Cut","kind":"media","goal":"plays","planned_visitors":500,"variations":[{"media_id":"`+other+`"}]}`, 201)
	require.Equal(t, 200, d.call(t, d.Ann.Token, "POST", "/v1/experiments/"+e.ID+"/endings", `{"winner":"b"}`, nil))
	doc, err := d.Blobs.ReadSettings(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, doc.Experiment.Arms, 1)
	require.Equal(t, other, doc.Experiment.Arms[0].Media)
	require.Equal(t, 404, d.call(t, d.Eve.Token, "DELETE", "/v1/experiments/"+e.ID, nil, nil))
	require.Equal(t, 204, d.call(t, d.Ann.Token, "DELETE", "/v1/experiments/"+e.ID, nil, nil))
	doc, err = d.Blobs.ReadSettings(t.Context(), id)
	require.NoError(t, err)
	require.Nil(t, doc.Experiment)
}

func TestExperimentsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	d := start(t)
	id, _ := d.gated(t)
	closed := d.media(t)
	require.NoError(t, d.DB.PutSettings(t.Context(), d.DB, &catalog.MediaSettings{MediaID: closed, Visibility: "private"}))
	head := `{"media_id":"` + id + `","name":"X","goal":"plays","planned_visitors":500,`
	for _, bad := range []string{
		head + `"kind":"media","variations":[{"media_id":"` + id + `"}]}`,
		head + `"kind":"media","variations":[{"media_id":"zzzzzzzzzz"}]}`,
		head + `"kind":"media","variations":[{"media_id":"` + closed + `"}]}`,
		head + `"kind":"poster","variations":[{"poster_seconds":61}]}`,
		head + `"kind":"cta","variations":[{}]}`,
		head + `"kind":"cta","variations":[{"action":{"id":"gate","type":"cta","at":"end","text":"x","skippable":true}}]}`,
		head + `"kind":"cta","variations":[{"action":{"id":"offer","type":"cta","at":"end","text":"x","url":"javascript:1","skippable":true}}]}`,
		strings.Replace(head, `"X"`, `"\u202e"`, 1) + `"kind":"poster","variations":[{"poster_seconds":1}]}`,
		head + `"kind":"poster","variations":[]}`,
	} {
		d.begin(t, bad, 422)
	}
	require.Equal(t, 404, d.call(t, d.Eve.Token, "POST", "/v1/experiments", head+`"kind":"cta","variations":[{}]}`, nil))
	var list struct{ Items []marketing.Experiment }
	require.Equal(t, 200, d.call(t, d.Eve.Token, "GET", "/v1/experiments", nil, &list))
	require.Empty(t, list.Items)
}
