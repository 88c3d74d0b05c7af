package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"ringmaster/orchestrator"
)

var _ orchestrator.LeaseStore = (*Store)(nil)

// AcquireLease implements orchestrator.LeaseStore.
//
// The epoch also keeps up with the clock, in seconds: an installation that lost
// its database begins above what its switches saw of it before.
func (s *Store) AcquireLease(
	ctx context.Context, tenant orchestrator.TenantID, claim orchestrator.LeaseClaim,
) (orchestrator.Lease, error) {
	did := "acquire lease of " + string(tenant)
	before, err := s.lease(ctx, tenant)
	if err != nil {
		return orchestrator.Lease{}, translate(did, err)
	}
	if before.Holder.ID != claim.Instance.ID && (before.Free() || claim.Force) {
		s.endSessions(ctx, before.Holder.ID)
	}
	// What was free a moment ago may be another's now: the row decides.
	now := orchestrator.Lease{Holder: claim.Instance, Former: before.Holder.ID, Left: claim.Term}
	err = s.leases.QueryRowContext(ctx, `
		INSERT INTO lease AS l (tenant_id, epoch, reign, instance_id, instance_name, expires_at, yields, released)
		SELECT $1, e, e, $2, $3, clock_timestamp() + $5::bigint * interval '1 microsecond', false, false
		FROM (SELECT GREATEST($4::bigint, extract(epoch FROM clock_timestamp())::bigint) AS e) AS least
		ON CONFLICT (tenant_id) DO UPDATE SET epoch = GREATEST(l.epoch + 1, EXCLUDED.epoch),
		    reign = CASE WHEN l.instance_id = $2 THEN l.reign ELSE GREATEST(l.epoch + 1, EXCLUDED.epoch) END,
		    instance_id = $2, instance_name = $3,
		    expires_at = clock_timestamp() + $5::bigint * interval '1 microsecond', yields = false, released = false
		WHERE l.instance_id = $2 OR l.released OR l.yields AND l.expires_at < clock_timestamp() OR $6
		RETURNING epoch, reign`,
		string(tenant), string(claim.Instance.ID), clean(claim.Instance.Name), int64(claim.AtLeast),
		claim.Term.Microseconds(), claim.Force).Scan(&now.Epoch, &now.Reign)
	if errors.Is(err, sql.ErrNoRows) {
		now, err = s.lease(ctx, tenant)
		if err != nil {
			return orchestrator.Lease{}, translate(did, err)
		}
		return now, &orchestrator.Error{Code: orchestrator.CodeConflict, Message: did + ": it is held by " + now.Holder.Name}
	}
	if err != nil {
		return orchestrator.Lease{}, translate(did, err)
	}
	_, err = s.leases.ExecContext(ctx, `UPDATE projection SET epoch = GREATEST(epoch, $2) WHERE tenant_id = $1`,
		string(tenant), now.Epoch)
	return now, translate(did, err)
}

// endSessions ends those of a holder that has nothing more to say: one that was
// stopped in the middle of a transaction would hold locks we need. Only a
// role's own sessions can be ended; of others the locks time out.
func (s *Store) endSessions(ctx context.Context, holder orchestrator.InstanceID) {
	if holder == "" {
		return
	}
	_, err := s.leases.ExecContext(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = $1 AND usename = current_user AND datname = current_database()`, session(holder))
	if err != nil {
		s.log.Warn("sessions of the last holder not ended", "instance", string(holder), "error", err)
	}
}

// RenewLease implements orchestrator.LeaseStore.
func (s *Store) RenewLease(ctx context.Context, tenant orchestrator.TenantID, hold orchestrator.LeaseHold) (int, error) {
	did := fmt.Sprintf("renew lease %d of %s", hold.Epoch, tenant)
	var standbys int
	err := s.leases.QueryRowContext(ctx, `
		INSERT INTO lease AS l (tenant_id, epoch, reign, instance_id, instance_name, expires_at, yields, released)
		VALUES ($1, $4, $4, $2, $3, clock_timestamp() + $5::bigint * interval '1 microsecond', $6, false)
		ON CONFLICT (tenant_id) DO UPDATE SET epoch = EXCLUDED.epoch, instance_name = EXCLUDED.instance_name,
		    expires_at = clock_timestamp() + $5::bigint * interval '1 microsecond', yields = EXCLUDED.yields, released = false
		WHERE l.instance_id = $2 AND (l.epoch < $4 OR l.epoch = $4 AND NOT l.released)
		RETURNING (SELECT count(*) FROM standby b WHERE b.tenant_id = $1 AND b.instance_id <> $2
		           AND b.seen_at > clock_timestamp() - $7::bigint * interval '1 microsecond')`,
		string(tenant), string(hold.Instance.ID), clean(hold.Instance.Name), int64(hold.Epoch),
		hold.Term.Microseconds(), hold.Yields, orchestrator.StandbyKept.Microseconds()).Scan(&standbys)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, &orchestrator.Error{Code: orchestrator.CodeConflict, Message: did + ": it is another's now"}
	}
	return standbys, translate(did, err)
}

// ReleaseLease implements orchestrator.LeaseStore.
func (s *Store) ReleaseLease(ctx context.Context, tenant orchestrator.TenantID, instance orchestrator.InstanceID, epoch uint64) error {
	_, err := s.leases.ExecContext(ctx,
		`UPDATE lease SET released = true, expires_at = clock_timestamp() WHERE tenant_id = $1 AND instance_id = $2 AND epoch = $3`,
		string(tenant), string(instance), epoch)
	return translate("release lease of "+string(tenant), err)
}

// StandBy implements orchestrator.LeaseStore.
func (s *Store) StandBy(ctx context.Context, tenant orchestrator.TenantID, instance orchestrator.Instance) (orchestrator.Lease, error) {
	did := "stand by for " + string(tenant)
	// Who stands by asks many times a second; it is written down now and then.
	_, err := s.leases.ExecContext(ctx, `INSERT INTO standby (tenant_id, instance_id, instance_name, seen_at)
		SELECT $1, $2, $3, clock_timestamp() WHERE NOT EXISTS (SELECT 1 FROM standby WHERE tenant_id = $1
		    AND instance_id = $2 AND seen_at > clock_timestamp() - $4::bigint * interval '1 microsecond')
		ON CONFLICT (tenant_id, instance_id) DO UPDATE SET instance_name = EXCLUDED.instance_name, seen_at = clock_timestamp()`,
		string(tenant), string(instance.ID), clean(instance.Name), (orchestrator.StandbyKept / 20).Microseconds())
	if err != nil {
		return orchestrator.Lease{}, translate(did, err)
	}
	l, err := s.lease(ctx, tenant)
	return l, translate(did, err)
}

// StandDown implements orchestrator.LeaseStore.
func (s *Store) StandDown(ctx context.Context, tenant orchestrator.TenantID, instance orchestrator.InstanceID) error {
	_, err := s.leases.ExecContext(ctx, `DELETE FROM standby WHERE tenant_id = $1 AND instance_id = $2`, string(tenant), string(instance))
	return translate("stand down for "+string(tenant), err)
}

// lease reads the row; its epoch is 0 when there is none.
func (s *Store) lease(ctx context.Context, tenant orchestrator.TenantID) (l orchestrator.Lease, err error) {
	var left int64
	err = s.leases.QueryRowContext(ctx, `SELECT epoch, reign, instance_id, instance_name, yields, released,
		(extract(epoch FROM expires_at - clock_timestamp()) * 1000000)::bigint FROM lease WHERE tenant_id = $1`,
		string(tenant)).Scan(&l.Epoch, &l.Reign, &l.Holder.ID, &l.Holder.Name, &l.Yields, &l.Released, &left)
	if errors.Is(err, sql.ErrNoRows) {
		return orchestrator.Lease{}, nil
	}
	l.Left = time.Duration(left) * time.Microsecond
	return l, err
}

// session is how an instance's connections are called in pg_stat_activity. The
// server cuts names at 63 bytes; an instance's id is a UUID.
func session(instance orchestrator.InstanceID) string {
	if instance == "" {
		return "ringmaster"
	}
	return "ringmaster " + string(instance)
}
