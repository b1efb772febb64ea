package millrace.rules;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The filters of all jobs in this JVM, by an id of the job's own. {@code udfs/fraud/filter_feed.py} hands over rules from
 * Python in thread mode, which lives in this process.
 *
 * <p>A filter lives as long as a function of SQL uses it, since Flink closes functions in Python only at the end of their
 * input: those of a task that failed or was cancelled stay behind, and find by {@link #isFollowed} that they may end.
 */
public final class Filters {

    private static final ConcurrentMap<String, RuleFilter> FILTERS = new ConcurrentHashMap<>();
    private static final AtomicLong FOLLOWERS = new AtomicLong();

    private Filters() {}

    /** A function in Python begins to hand over versions; until it is {@link #ready}, nothing is held back. */
    public static long open(String id) {
        long follower = FOLLOWERS.incrementAndGet();
        FILTERS.compute(id, (key, known) -> orNew(known).join(follower));
        return follower;
    }

    /**
     * A version of the rules; one that is known already is ignored.
     *
     * @param effectiveFrom UTC milliseconds
     */
    public static void put(String id, long follower, long effectiveFrom, long version, String program) {
        RuleFilter filter = FILTERS.get(id);
        if (filter != null) {
            filter.put(follower, effectiveFrom, version, Program.parse(program));
        }
    }

    /** All versions that the function knows were handed over, and each new one will be. */
    public static void ready(String id, long follower) {
        RuleFilter filter = FILTERS.get(id);
        if (filter != null) {
            filter.trust(follower);
        }
    }

    /** The function can't see new versions any more: all payments have to reach it, so that it can say so. */
    public static void failed(String id, long follower) {
        RuleFilter filter = FILTERS.get(id);
        if (filter != null) {
            filter.doubt(follower);
        }
    }

    /** Whether the function's task may still run: it was told of, and the functions of SQL beside it haven't ended. */
    public static boolean isFollowed(String id, long follower) {
        RuleFilter filter = FILTERS.get(id);
        return filter != null && filter.isFollowedBy(follower);
    }

    /** The function ends; when the last one of a job has ended, its versions are forgotten. */
    public static void close(String id, long follower) {
        FILTERS.computeIfPresent(id, (key, filter) -> filter.leave(follower) ? filter : null);
    }

    /** A function of SQL begins to ask the filter, which may hold nothing back yet. */
    public static RuleFilter acquire(String id) {
        return FILTERS.compute(id, (key, known) -> orNew(known).used());
    }

    /** A function of SQL ends; after the last one of a job the filter is forgotten. */
    public static void release(String id) {
        FILTERS.computeIfPresent(id, (key, filter) -> filter.unused() ? null : filter);
    }

    /** How many jobs have a filter here. */
    public static int size() {
        return FILTERS.size();
    }

    private static RuleFilter orNew(RuleFilter known) {
        return known == null ? new RuleFilter() : known;
    }
}
