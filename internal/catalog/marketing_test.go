package catalog_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/catalog"
)

// told returns what the outbox has of an account, and takes it out.
func told(t *testing.T, db *catalog.DB, account string) (types []string) {
	t.Helper()
	require.NoError(t, db.InTx(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
		list, err := db.TakeOutbox(ctx, tx, 1000)
		if err != nil {
			return err
		}
		var ids []string
		for _, e := range list {
			if e.AccountID == account {
				types, ids = append(types, e.Type), append(ids, e.ID)
			}
		}
		return db.DropOutbox(ctx, tx, ids)
	}))
	return types
}

func TestStatesAreToldOnceWithTheirChange(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		account := newAccount(t, db)
		m := newMedia(t, db, account)
		both := []catalog.MediaState{m.State, catalog.StatePlayable, catalog.StateReady}
		for _, to := range []catalog.MediaState{catalog.StatePlayable, catalog.StatePlayable, catalog.StateReady, catalog.StateReady} {
			require.NoError(t, db.Transition(t.Context(), db, m.ID, m.Generation, both, to))
		}
		require.ErrorIs(t, db.FailMedia(t.Context(), m.ID, m.Generation, "x", "x", false), catalog.ErrConflict, "it is ready")
		require.NoError(t, db.InTx(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
			return db.Transition(ctx, tx, m.ID, m.Generation, both, catalog.StatePlayable)
		}))
		require.NoError(t, db.DeleteMedia(t.Context(), db, account, m.ID))
		require.ElementsMatch(t, []string{"media.playable", "media.ready", "media.playable", "media.deleted"}, told(t, db, account))
		require.Empty(t, told(t, db, account))
	})
}

func TestALeadIsOneForItsGateAndAddress(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		account, other := newAccount(t, db), newAccount(t, db)
		m := newMedia(t, db, account)
		add := func(action, email string) bool {
			added, err := db.AddLead(t.Context(), &catalog.Lead{AccountID: account, MediaID: m.ID, ActionID: action, Email: email}, `{}`)
			require.NoError(t, err)
			return added
		}
		require.True(t, add("gate", "Ann@Example.com"))
		require.False(t, add("gate", "ann@example.com"))
		require.True(t, add("another", "ann@example.com"))
		require.Equal(t, []string{"lead.captured", "lead.captured"}, told(t, db, account))
		list, err := db.Leads(t.Context(), account, catalog.LeadFilter{Query: "EXAMPLE"}, 10)
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Equal(t, m.Name, list[0].MediaName)
		require.True(t, add("third", "ann@example.com"))
		var forgotten []string
		gone := func(_ context.Context, _ catalog.Tx, emails []string) error {
			forgotten = append(forgotten, emails...)
			return nil
		}
		n, err := db.EraseLeads(t.Context(), other, "", "ann@example.com", gone)
		require.NoError(t, err)
		require.Zero(t, n)
		for i, id := range []string{list[slices.IndexFunc(list, func(l catalog.Lead) bool { return l.Email != "Ann@Example.com" })].ID, "0000000000"} {
			n, err = db.EraseLeads(t.Context(), account, id, "", gone)
			require.NoError(t, err)
			require.Equal(t, 1-i, n)
			require.Empty(t, forgotten, "the address has a lead still")
		}
		n, err = db.EraseLeads(t.Context(), account, "", "ANN@example.com ", gone)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.ElementsMatch(t, []string{"Ann@Example.com", "ann@example.com"}, forgotten)
	})
}

func TestOneExperimentRunsOnAMedia(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		account := newAccount(t, db)
		m := newMedia(t, db, account)
		made := func() *catalog.Experiment {
			return &catalog.Experiment{ID: catalog.NewID(), AccountID: account, MediaID: m.ID, Name: "x", Kind: catalog.ExperimentCTA,
				Goal: catalog.GoalPlays, Arms: `[{"key":"a"},{"key":"b"}]`, PlannedVisitors: 100}
		}
		first := made()
		require.NoError(t, db.CreateExperiment(t.Context(), db, first))
		require.Error(t, db.CreateExperiment(t.Context(), db, made()))
		require.NoError(t, db.EndExperiment(t.Context(), db, first.ID, "b"))
		require.ErrorIs(t, db.EndExperiment(t.Context(), db, first.ID, "a"), catalog.ErrConflict)
		require.NoError(t, db.CreateExperiment(t.Context(), db, made()))
		_, err := db.Experiment(t.Context(), newAccount(t, db), first.ID)
		require.ErrorIs(t, err, catalog.ErrNotFound)
	})
}

func TestADeliveryIsOneForItsEndpointAndMessage(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		account := newAccount(t, db)
		e := catalog.WebhookEndpoint{ID: catalog.NewID(), AccountID: account, URL: "https://example.com", Sealed: []byte("x"), Enabled: true}
		require.NoError(t, db.CreateWebhookEndpoint(t.Context(), db, &e))
		for _, want := range []bool{true, false} {
			added, err := db.AddDelivery(t.Context(), db, &catalog.WebhookDelivery{EndpointID: e.ID, AccountID: account, MessageID: "msg_1"})
			require.NoError(t, err)
			require.Equal(t, want, added)
		}
		list, err := db.Deliveries(t.Context(), account, e.ID, catalog.DeliveryPending, 0, "", 10)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.NoError(t, db.SetDelivery(t.Context(), db, account, list[0].ID, catalog.Set{Column: "state", Value: catalog.DeliveryDelivered}))
		require.ErrorIs(t, db.SetDelivery(t.Context(), db, newAccount(t, db), list[0].ID, catalog.Set{Column: "status", Value: 1}), catalog.ErrNotFound)
		require.NoError(t, db.DeleteWebhookEndpoint(t.Context(), account, e.ID))
		_, _, err = db.Delivery(t.Context(), list[0].ID)
		require.ErrorIs(t, err, catalog.ErrNotFound)
	})
}
