package millrace.rules;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The filters of all jobs in this JVM, by an id of each job. {@code udfs/fraud/rule_filter_client.py} passes rules from
 * Python, which runs in this process in thread mode.
 *
 * <p>A filter is kept while a function of SQL uses it, since Flink closes functions in Python only at the end of their
 * input: those of a task that failed or was cancelled remain, and find out by {@link #isFollowed} that they can end.
 */
public final class Filters {

    private static final ConcurrentMap<String, RuleFilter> FILTERS = new ConcurrentHashMap<>();
    private static final AtomicLong FOLLOWERS = new AtomicLong();

    private Filters() {}

    /** A function in Python begins to pass versions; until it is {@link #ready}, no payment is held back. */
    public static long open(String id) {
        long follower = FOLLOWERS.incrementAndGet();
        FILTERS.compute(id, (key, known) -> orNew(known).join(follower));
        return follower;
    }

    /**
     * Adds a version of the rules; a known one is ignored.
     *
     * @param effectiveFrom UTC milliseconds
     */
    public static void put(String id, long follower, long effectiveFrom, long version, String program) {
        RuleFilter filter = FILTERS.get(id);
        if (filter != null) {
            filter.put(follower, effectiveFrom, version, Program.parse(program));
        }
    }

    /** All versions that the function knows were passed, and each new one will be. */
    public static void ready(String id, long follower) {
        RuleFilter filter = FILTERS.get(id);
        if (filter != null) {
            filter.trust(follower);
        }
    }

    /** The function can't read new versions any more: all payments have to reach it, so that it can fail. */
    public static void failed(String id, long follower) {
        RuleFilter filter = FILTERS.get(id);
        if (filter != null) {
            filter.doubt(follower);
        }
    }

    /** Whether the function's task may still run: it was opened, and the functions of SQL beside it haven't ended. */
    public static boolean isFollowed(String id, long follower) {
        RuleFilter filter = FILTERS.get(id);
        return filter != null && filter.isFollowedBy(follower);
    }

    /** The function ends; after the last one of a job its versions are removed. */
    public static void close(String id, long follower) {
        FILTERS.computeIfPresent(id, (key, filter) -> filter.leave(follower) ? filter : null);
    }

    /** A function of SQL begins to use the filter, which may not hold payments back yet. */
    public static RuleFilter acquire(String id) {
        return FILTERS.compute(id, (key, known) -> orNew(known).used());
    }

    /** A function of SQL ends; after the last one of a job the filter is removed. */
    public static void release(String id) {
        FILTERS.computeIfPresent(id, (key, filter) -> filter.unused() ? null : filter);
    }

    /** Number of jobs with a filter here. */
    public static int size() {
        return FILTERS.size();
    }

    private static RuleFilter orNew(RuleFilter known) {
        return known == null ? new RuleFilter() : known;
    }
}
