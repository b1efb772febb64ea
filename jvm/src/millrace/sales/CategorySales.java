package millrace.sales;

import static org.apache.flink.table.annotation.ArgumentTrait.REQUIRE_ON_TIME;
import static org.apache.flink.table.annotation.ArgumentTrait.SET_SEMANTIC_TABLE;

import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.annotation.ArgumentHint;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.FunctionHint;
import org.apache.flink.table.annotation.StateHint;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.types.Row;

/**
 * The SQL function {@code category_sales}: the sales of each category in a window, and again whenever an order of it is
 * corrected.
 *
 * <pre>
 * SELECT window_start, category, currency, revision, orders, pieces, revenue_minor
 * FROM category_sales(
 *     input =&gt; TABLE orders_of_minutes PARTITION BY window_start,
 *     on_time =&gt; DESCRIPTOR(event_time),
 *     open_hours =&gt; 25,
 *     uid =&gt; 'category-sales')
 * </pre>
 *
 * <p>A row of the input is a revision of an order; it needs {@code window_end} (milliseconds), {@code order_id}, {@code
 * revision}, {@code complete}, {@code currency} and {@code lines}. The highest revision of an order counts, if it is
 * complete; all have the same currency.
 *
 * <p>When the watermark has passed the window's last millisecond, one row per category and currency is emitted. From
 * then on a revision that changes its order's part in a category emits another row of that category at once. Of the
 * rows of one window and category the one with the highest {@code revision} is valid: it counts such changes, so that
 * it doesn't depend on the order in which orders arrive, and a job that repeats some after a restart ends with the same
 * rows. A category without sales left is emitted with zeros.
 *
 * <p>A window is removed in event time, {@code open_hours} after its end; filter out later rows first.
 */
@FunctionHint(
        output =
                @DataTypeHint(
                        "ROW<category STRING NOT NULL, currency STRING NOT NULL, revision BIGINT NOT NULL,"
                                + " orders BIGINT NOT NULL, pieces BIGINT NOT NULL, revenue_minor BIGINT NOT NULL>"))
public final class CategorySales extends ProcessTableFunction<Row> {

    private static final long serialVersionUID = 1L;

    private static final String CLOSE = "close";
    private static final String FORGET = "forget";
    private static final String NO_CATEGORY = "unknown";
    private static final String FOREVER = "0 s"; // whatever the job's settings: a timer removes it

    private transient Counter corrected;

    /** What is stored of a window. */
    public static final class Window {
        /** Milliseconds from its end to its removal; 0 before its first order. */
        public long openMs;

        /** Whether its rows were emitted. */
        public boolean isClosed;
    }

    /** Amounts that the last revision of an order adds to each category; none if it isn't complete. */
    public static final class Order {
        public long revision;
        public String currency;
        public Map<String, Long> pieces = new HashMap<>();
        public Map<String, Long> revenue = new HashMap<>();
    }

    /** The sums of a category in one currency. */
    public static final class Sales {
        public String category;
        public String currency;
        public long revision;
        public long orders;
        public long pieces;
        public long revenue;
    }

    @Override
    public void open(FunctionContext context) {
        corrected = context.getMetricGroup().counter("corrected_rows");
    }

    /** Called for each revision of an order. */
    public void eval(
            Context context,
            @StateHint(ttl = FOREVER) Window window,
            @StateHint(ttl = FOREVER) MapView<String, Order> orders,
            @StateHint(ttl = FOREVER) MapView<String, Sales> sales,
            @ArgumentHint({SET_SEMANTIC_TABLE, REQUIRE_ON_TIME}) Row input,
            Integer open_hours)
            throws Exception {
        if (window.openMs == 0) {
            window.openMs = Duration.ofHours(open_hours).toMillis();
            long end = input.<Long>getFieldAs("window_end");
            context.timeContext(Long.class).registerOnTime(CLOSE, end - 1);
        }
        String id = input.getFieldAs("order_id");
        Order known = orders.get(id);
        Order before = known == null ? new Order() : known;
        Order after = order(input);
        if (after.revision <= before.revision) {
            return;
        }
        orders.put(id, after);
        Set<String> categories = new HashSet<>(before.pieces.keySet());
        categories.addAll(after.pieces.keySet());
        for (String category : categories) {
            String key = after.currency + " " + category;
            Sales changed = changed(sales.get(key), category, before, after);
            if (changed == null) {
                continue;
            }
            sales.put(key, changed);
            if (window.isClosed) {
                corrected.inc();
                send(changed);
            }
        }
    }

    /** Called at the window's last millisecond, and when no correction of it can arrive any more. */
    public void onTimer(
            OnTimerContext context, Window window, MapView<String, Order> orders, MapView<String, Sales> sales)
            throws Exception {
        if (FORGET.equals(context.currentTimer())) {
            context.clearAll();
            return;
        }
        window.isClosed = true;
        TimeContext<Long> time = context.timeContext(Long.class);
        time.registerOnTime(FORGET, time.time() + window.openMs);
        for (Sales each : sales.values()) {
            send(each);
        }
    }

    private static Order order(Row input) {
        Order order = new Order();
        order.revision = input.<Long>getFieldAs("revision");
        order.currency = input.getFieldAs("currency");
        if (input.<Boolean>getFieldAs("complete")) {
            for (Row line : input.<Row[]>getFieldAs("lines")) {
                String named = line.getFieldAs("category");
                String category = named == null ? NO_CATEGORY : named;
                order.pieces.merge(category, line.<Long>getFieldAs("quantity"), Long::sum);
                order.revenue.merge(category, line.<Long>getFieldAs("line_total_minor"), Long::sum);
            }
        }
        return order;
    }

    /** The sums of a category after a change; null if there is none. */
    private static Sales changed(Sales sales, String category, Order before, Order after) {
        long orders = count(after, category) - count(before, category);
        long pieces = after.pieces.getOrDefault(category, 0L) - before.pieces.getOrDefault(category, 0L);
        long revenue = after.revenue.getOrDefault(category, 0L) - before.revenue.getOrDefault(category, 0L);
        if (orders == 0 && pieces == 0 && revenue == 0) {
            return null;
        }
        Sales changed = sales == null ? new Sales() : sales;
        changed.category = category;
        changed.currency = after.currency;
        changed.revision++;
        changed.orders += orders;
        changed.pieces += pieces;
        changed.revenue += revenue;
        return changed;
    }

    private static long count(Order order, String category) {
        return order.pieces.containsKey(category) ? 1 : 0;
    }

    private void send(Sales sales) {
        collect(
                Row.of(
                        sales.category,
                        sales.currency,
                        sales.revision,
                        sales.orders,
                        sales.pieces,
                        sales.revenue));
    }
}
