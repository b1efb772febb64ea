package millrace.payments;

import static org.apache.flink.table.annotation.ArgumentTrait.REQUIRE_ON_TIME;
import static org.apache.flink.table.annotation.ArgumentTrait.SET_SEMANTIC_TABLE;

import java.time.Duration;
import org.apache.flink.table.annotation.ArgumentHint;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.FunctionHint;
import org.apache.flink.table.annotation.StateHint;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.types.Row;

/**
 * The SQL function {@code orders_without_payment}: the orders without a payment by their deadline.
 *
 * <pre>
 * SELECT order_id, customer_id, currency, total_minor, placed_at, rowtime
 * FROM orders_without_payment(
 *     input =&gt; TABLE orders_and_their_payments PARTITION BY order_id,
 *     on_time =&gt; DESCRIPTOR(rowtime),
 *     pay_within_minutes =&gt; 15,
 *     open_hours =&gt; 1,
 *     uid =&gt; 'orders-without-payment')
 * </pre>
 *
 * <p>The input has a row for each order and each payment of one: {@code is_order} distinguishes them, and {@code
 * customer_id}, {@code currency} and {@code total_minor} are those of the order. Filter out rows first that are more
 * than {@code open_hours} behind the watermark.
 *
 * <p>When the watermark passes an order's deadline, or at the next watermark if it passed the deadline before the order
 * arrived, the order is emitted unless there is a payment from {@code open_hours} before the order to its deadline.
 * {@code rowtime} is the deadline, {@code placed_at} the order's time in milliseconds. The first order of an id counts.
 *
 * <p>It is one function over both and not a join, since a join has an input for each: while both are idle, it uses the
 * first watermark of one as that of both, and silently drops the payment that waits at the other as late.
 *
 * <p>State of an id is removed, in event time, when no further row can need it.
 */
@FunctionHint(
        output =
                @DataTypeHint(
                        "ROW<customer_id STRING NOT NULL, currency STRING NOT NULL, total_minor BIGINT NOT NULL,"
                                + " placed_at BIGINT NOT NULL>"))
public final class OrdersWithoutPayment extends ProcessTableFunction<Row> {

    private static final long serialVersionUID = 1L;

    private static final String DEADLINE = "deadline";
    private static final String FORGET = "forget";
    private static final String FOREVER = "0 s"; // whatever the job's settings: a timer removes it

    /** What is stored of an id; times in milliseconds. */
    public static final class Order {
        /** Null before the order has arrived. */
        public Long placedAt;

        public String customerId;
        public String currency;
        public long totalMinor;

        /** Time before the order in which a payment counts. */
        public long openMs;

        /** Time at which all of it is removed. */
        public long forgottenAt;
    }

    /** Called for each order and each payment. */
    public void eval(
            Context context,
            @StateHint(ttl = FOREVER) Order order,
            @StateHint(ttl = FOREVER) MapView<Long, Boolean> payments,
            @ArgumentHint({SET_SEMANTIC_TABLE, REQUIRE_ON_TIME}) Row input,
            Integer pay_within_minutes,
            Integer open_hours)
            throws Exception {
        TimeContext<Long> time = context.timeContext(Long.class);
        long at = time.time();
        order.openMs = Duration.ofHours(open_hours).toMillis();
        if (!input.<Boolean>getFieldAs("is_order")) {
            payments.put(at, true);
        } else if (order.placedAt == null) {
            order.placedAt = at;
            order.customerId = input.getFieldAs("customer_id");
            order.currency = input.getFieldAs("currency");
            order.totalMinor = input.<Long>getFieldAs("total_minor");
            time.registerOnTime(DEADLINE, at + Duration.ofMinutes(pay_within_minutes).toMillis());
        }
        // An order with the maximum lateness still finds the earliest payment that counts.
        long forgottenAt = at + 2 * order.openMs + 1;
        if (forgottenAt > order.forgottenAt) {
            order.forgottenAt = forgottenAt;
            time.registerOnTime(FORGET, forgottenAt);
        }
    }

    /** Called at the order's deadline, and when no further row can arrive. */
    public void onTimer(OnTimerContext context, Order order, MapView<Long, Boolean> payments) throws Exception {
        if (FORGET.equals(context.currentTimer())) {
            context.clearAll();
            return;
        }
        long deadline = context.timeContext(Long.class).time();
        for (Long paidAt : payments.keys()) {
            if (paidAt >= order.placedAt - order.openMs && paidAt <= deadline) {
                return;
            }
        }
        collect(Row.of(order.customerId, order.currency, order.totalMinor, order.placedAt));
    }
}
