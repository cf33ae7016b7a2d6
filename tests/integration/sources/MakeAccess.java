import com.healthmarketscience.jackcess.*;
import java.io.File;
import java.math.BigDecimal;
import java.time.LocalDateTime;

/** Wrote cabinet.mdb.gz beside it, an Access 2000 file of invented rows: java -cp jackcess-4.0.8.jar:commons-lang3-3.14.0.jar:commons-logging-1.3.0.jar
 MakeAccess.java cabinet.mdb; gzip -9n cabinet.mdb. No Debian program writes such a file. */
public class MakeAccess {
    public static void main(String[] args) throws Exception {
        File file = new File(args[0]);
        try (Database base = DatabaseBuilder.create(Database.FileFormat.V2000, file)) {
            Table odd = new TableBuilder("Odd values")
                .addColumn(new ColumnBuilder("Id", DataType.LONG).setAutoNumber(true))
                .addColumn(new ColumnBuilder("Yes", DataType.BOOLEAN))
                .addColumn(new ColumnBuilder("Byte", DataType.BYTE))
                .addColumn(new ColumnBuilder("Short", DataType.INT))
                .addColumn(new ColumnBuilder("Single", DataType.FLOAT))
                .addColumn(new ColumnBuilder("Double", DataType.DOUBLE))
                .addColumn(new ColumnBuilder("Money", DataType.MONEY))
                .addColumn(new ColumnBuilder("Amount", DataType.NUMERIC).setPrecision(28).setScale(4))
                .addColumn(new ColumnBuilder("When", DataType.SHORT_DATE_TIME))
                .addColumn(new ColumnBuilder("Text é", DataType.TEXT).setLengthInUnits(80))
                .addColumn(new ColumnBuilder("Memo", DataType.MEMO))
                .addColumn(new ColumnBuilder("Scan", DataType.OLE))
                .addColumn(new ColumnBuilder("Guid", DataType.GUID))
                .addIndex(new IndexBuilder(IndexBuilder.PRIMARY_KEY_NAME).addColumns("Id").setPrimaryKey())
                .toTable(base);
            byte[] scan = new byte[30000];
            for (int i = 0; i < scan.length; i++) scan[i] = (byte) (i * 7);
            odd.addRow(Column.AUTO_NUMBER, true, 255, -32768, 0.1f, 0.1 + 0.2, new BigDecimal("922337203685477.5807"),
                new BigDecimal("-123456789012345678901234.5678"), LocalDateTime.of(1899, 12, 30, 9, 30, 15), "Éloïse l’Œuvre",
                "é".repeat(5000) + "\r\n\"fin\"", scan, "{00112233-4455-6677-8899-AABBCCDDEEFF}");
            odd.addRow(Column.AUTO_NUMBER, false, 0, 32767, -1.5f, 1e308, new BigDecimal("-0.0001"), new BigDecimal("1.1000"),
                LocalDateTime.of(2024, 2, 29, 0, 0), "", "", new byte[0], null);
            odd.addRow(Column.AUTO_NUMBER, false, null, null, null, null, null, null, null, null, null, null, null);
            odd.addRow(Column.AUTO_NUMBER, false, null, null, null, null, null, null, LocalDateTime.of(1830, 1, 1, 12, 0), "  x  ", "court",
                new byte[] {0, (byte) 255}, null);
            Table plain = new TableBuilder("Patient")
                .addColumn(new ColumnBuilder("Numero", DataType.LONG))
                .addColumn(new ColumnBuilder("Nom", DataType.TEXT).setLengthInUnits(40))
                .addColumn(new ColumnBuilder("Naissance", DataType.SHORT_DATE_TIME))
                .toTable(base);
            for (int i = 1; i <= 30; i++) plain.addRow(i, "PATIENT " + i, LocalDateTime.of(1950, 1, 1, 0, 0).plusDays(i));
        }
    }
}
