package millrace.rules;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The versions of one job's rules, as {@code RulesetHistory} in {@code udfs/fraud/rules.py} has them.
 *
 * <p>Python functions of the job, its followers, pass each version before they judge by it. No payment is held back
 * unless there is a follower and every follower has passed all versions that it knows and still reads new ones.
 */
public final class RuleFilter {

    private record Version(long effectiveFrom, long number, Condition condition) {}

    private static final Version[] NONE = {};
    private static final Comparator<Version> ORDER =
            Comparator.comparingLong(Version::effectiveFrom).thenComparingLong(Version::number);

    private final List<Version> versions = new ArrayList<>();
    private final Set<Long> followers = new HashSet<>();
    private final Set<Long> unsure = new HashSet<>();

    private volatile Version[] asked = NONE;
    private int users;

    RuleFilter() {}

    /**
     * Returns whether a payment may break a rule.
     *
     * @param eventTime UTC milliseconds
     */
    public boolean mayBreak(long eventTime, Object[] facts) {
        Version[] sorted = asked;
        for (int place = sorted.length - 1; place >= 0; place--) {
            if (sorted[place].effectiveFrom <= eventTime) {
                return sorted[place].condition.mayHold(facts);
            }
        }
        return true;
    }

    synchronized void put(long follower, long effectiveFrom, long number, Condition condition) {
        if (!followers.contains(follower) || versions.stream().anyMatch(version -> version.number == number)) {
            return;
        }
        versions.add(new Version(effectiveFrom, number, condition));
        versions.sort(ORDER);
        publish();
    }

    synchronized RuleFilter join(long follower) {
        followers.add(follower);
        doubt(follower);
        return this;
    }

    synchronized boolean isFollowedBy(long follower) {
        return followers.contains(follower);
    }

    synchronized void trust(long follower) {
        unsure.remove(follower);
        publish();
    }

    synchronized void doubt(long follower) {
        if (followers.contains(follower)) {
            unsure.add(follower);
            publish();
        }
    }

    /** Removes a follower; returns whether the filter is still used or followed. */
    synchronized boolean leave(long follower) {
        followers.remove(follower);
        unsure.remove(follower);
        if (followers.isEmpty()) {
            versions.clear();
        }
        publish();
        return users > 0 || !followers.isEmpty();
    }

    synchronized RuleFilter used() {
        users++;
        return this;
    }

    /** Ends one use; returns whether it was the last one. */
    synchronized boolean unused() {
        users--;
        return users == 0;
    }

    private void publish() {
        asked = unsure.isEmpty() ? versions.toArray(Version[]::new) : NONE;
    }
}
