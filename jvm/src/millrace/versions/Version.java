package millrace.versions;

import org.apache.flink.table.data.RowData;

/** A version as it is stored; ordered by the time from which it is valid, of one time by its number. */
final class Version implements Comparable<Version> {

    final byte[] bytes;
    final RowData row;
    final long number;
    final long validFrom;
    final boolean isDeleted;

    Version(byte[] bytes, JoinVersionsCall call) {
        this.bytes = bytes;
        this.row = Bytes.row(bytes, 0, bytes.length, call.versions().getFieldCount());
        this.number = row.getLong(call.version());
        this.validFrom = row.getLong(call.validFrom());
        this.isDeleted = row.getBoolean(call.deleted());
    }

    @Override
    public int compareTo(Version other) {
        int byTime = Long.compare(validFrom, other.validFrom);
        return byTime != 0 ? byTime : Long.compare(number, other.number);
    }
}
