/** An ES module that imports a CommonJS one: the first of each kind takes Node.js 5 to 10 ms. */
import './faults.cjs';
